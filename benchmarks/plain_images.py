"""Train the models of the image studies by plain loops, with nothing kept or logged."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch.nn import functional

from projects.emnist_mlp.config import Config as CharactersConfig
from projects.emnist_mlp.config import n_steps_of
from projects.emnist_mlp.data import load_dataset
from projects.emnist_mlp.train import MOST_MEASURED_TRAIN_ROWS
from projects.image_classifier.config import Config
from projects.image_classifier.data.load import load_images
from projects.image_classifier.device import mixed, settle
from projects.image_classifier.models import build_network
from projects.image_classifier.network import family_settings
from projects.training.batches import steps_per_epoch

ROWS_MEASURED_AT_ONCE = 4096


def classify_images(config: Config) -> None:
    """Train what one would write by hand: the same network, optimiser, batches, measurements and memory format."""
    data, device = load_images(config.data), settle(config)
    x, val_x = (torch.from_numpy(part.images.copy()).to(device) for part in (data.train, data.val))
    y, val_y = (torch.from_numpy(part.labels.copy()).to(device) for part in (data.train, data.val))
    mean, std = x.float().mean((0, 2, 3), keepdim=True) / 255, x.float().std((0, 2, 3), keepdim=True) / 255
    torch.set_num_threads(config.threads)
    network = build_network(config.model.family, data.n_classes, family_settings(config.model))
    network = network.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  torch's stub
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.optimizer.lr, fused=True)

    def scores_of(images: torch.Tensor) -> torch.Tensor:
        prepared = ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
        with mixed(config, device):
            return network(prepared).float()

    for _ in range(config.epochs):
        network.train()
        order = torch.randperm(len(y)).to(device)
        for rows in order.split(config.batch_size):
            optimizer.zero_grad()
            functional.cross_entropy(scores_of(x[rows]), y[rows]).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            for images, labels in ((val_x, val_y), (x[: len(val_y)], y[: len(val_y)])):
                scores = torch.cat([scores_of(part) for part in images.split(128)])
                functional.cross_entropy(scores, labels).item()
                (scores.argmax(1) == labels).float().mean().item()


def classify_characters(config: CharactersConfig) -> None:
    """Train the same as `emnist_mlp`: layers, AdamW without decay, batches and measurements of its default config."""
    data = load_dataset(config.data)
    parts = [(torch.from_numpy(part.x.copy()), torch.from_numpy(part.y.copy())) for part in data[:3]]
    x, y = parts[0]
    mean, std = x.float().mean() / 255, x.float().std() / 255
    torch.set_num_threads(config.threads)
    widths = (x[0].numel(), *config.model.hidden_dims, len(data.classes))
    layers = [layer for sizes in pairwise(widths) for layer in (torch.nn.Linear(*sizes), torch.nn.ReLU())][:-1]
    network = torch.nn.Sequential(*layers)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.optimizer.lr, weight_decay=0.0, fused=True)

    def scores_of(images: torch.Tensor) -> torch.Tensor:
        return network((images.float().flatten(1) / 255 - mean) / std)

    n_steps, n_batches = n_steps_of(config, len(y)), steps_per_epoch(config.batch_size, len(y))
    measured = {round(point * n_steps / config.evals) for point in range(1, config.evals + 1)}
    for step in range(n_steps):
        if step % n_batches == 0:
            order = torch.randperm(len(y)).split(config.batch_size)
        rows = order[step % n_batches]
        optimizer.zero_grad()
        functional.cross_entropy(scores_of(x[rows]), y[rows]).backward()
        optimizer.step()
        if step + 1 in measured:
            with torch.inference_mode():
                for images, labels in ((x[:MOST_MEASURED_TRAIN_ROWS], y[:MOST_MEASURED_TRAIN_ROWS]), *parts[1:]):
                    scores = torch.cat([scores_of(part) for part in images.split(ROWS_MEASURED_AT_ONCE)])
                    functional.cross_entropy(scores, labels).item()
                    (scores.argmax(1) == labels).float().mean().item()
