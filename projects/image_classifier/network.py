"""Make the network of a config: drawn from its seed, or started from a file of weights."""

from __future__ import annotations

import torch
from torch import nn

from projects.image_classifier.config import Config, ModelConfig, OptimizerConfig
from projects.image_classifier.models import build_network
from projects.image_classifier.randomness import Stream, seed_of
from projects.image_classifier.weights import load_weights, weights_path

# Channels last: a third faster than PyTorch's own order for these networks on a CPU, and what tensor cores want.
MEMORY_FORMAT = torch.channels_last


def family_settings(model: ModelConfig) -> dict[str, float | int]:
    """Return a family's own arguments."""
    if model.family == "cnn":
        return {"width": model.width, "blocks": model.blocks, "dropout": model.dropout}
    return {"dropout": model.dropout, "drop_path": model.drop_path}


def start_network(config: Config, n_classes: int, device: torch.device) -> nn.Module:
    """Make the network before its first update.

    Raises:
        DataProblem: the file of weights cannot be used.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(config.seed, Stream.WEIGHTS))
        network = build_network(config.model.family, n_classes, family_settings(config.model))
    if config.model.weights is not None:
        path = weights_path(config.model.weights)
        load_weights(network, path, keeps_head=config.model.head == "kept")
    if config.model.frozen:
        network.get_submodule("features").requires_grad_(False)
    return network.to(device=device, memory_format=MEMORY_FORMAT)  # pyright: ignore[reportCallIssue]  torch's stub


def set_training(network: nn.Module, config: Config) -> None:
    """Switch dropout and batch statistics on, but for a frozen part, which keeps the statistics that it came with."""
    network.train()
    if config.model.frozen:
        network.get_submodule("features").eval()


def start_optimizer(config: OptimizerConfig, network: nn.Module) -> torch.optim.Optimizer:
    """Make the update rule, with decay of weight matrices and kernels alone."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "sgd":
        is_nesterov = config.momentum > 0
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=is_nesterov, fused=True)
    return torch.optim.AdamW(groups, lr=config.lr, fused=True)
