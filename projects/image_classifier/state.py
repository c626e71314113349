"""Turn a training into a flat dictionary of arrays for a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from projects.image_classifier.progress import Progress

Weights = dict[str, torch.Tensor]


def copied_weights(network: nn.Module) -> Weights:
    """Copy parameters and buffers as they are now."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def flat_state(
    network: nn.Module, optimizer: torch.optim.Optimizer, kept: Weights, progress: Progress
) -> dict[str, np.ndarray]:
    """Return the arrays from which training goes on bit for bit."""
    state = {f"network/{name}": _array(value) for name, value in network.state_dict().items()}
    state |= {f"kept/{name}": _array(value) for name, value in kept.items()}
    state |= {f"progress/{name}": value for name, value in progress.to_arrays().items()}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                state[f"optimizer/{name}/{key}"] = _array(value)
    return state


def restore(
    state: Mapping[str, np.ndarray], network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Weights, Progress]:
    """Put a state of `flat_state` back, into a network and an optimiser at their start; gives the rest.

    Raises:
        ValueError: the state is of another network.
    """
    own = network.state_dict()
    shapes = {name: list(value.shape) for name, value in own.items()}
    found = {name: list(value.shape) for name, value in _below(state, "network/").items()}
    if found != shapes:
        names = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
        raise ValueError(f"state: is of another network (differs in {', '.join(names[:3])}); start without a state")
    network.load_state_dict(_tensors(_below(state, "network/")))
    for name, parameter in network.named_parameters():
        if values := _below(state, f"optimizer/{name}/"):
            optimizer.state[parameter] = {key: _like(parameter, value) for key, value in values.items()}
    device = next(network.parameters()).device
    kept = {name: value.to(device) for name, value in _tensors(_below(state, "kept/")).items()}
    return kept, Progress.from_arrays(_below(state, "progress/"))


def _below(state: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _array(value: torch.Tensor) -> np.ndarray:
    return np.array(value.detach().cpu().numpy(), order="C")  # in one order, whatever the network's memory format


def _tensors(arrays: Mapping[str, np.ndarray]) -> Weights:
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def _like(parameter: torch.Tensor, value: np.ndarray) -> torch.Tensor:
    """An optimiser's array on the device of its parameter and, where it has its shape, in its order in memory."""
    tensor = torch.from_numpy(np.array(value)).to(parameter.device)
    return torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
