"""Train a variational autoencoder: Adam with one cycle of the learning rate, all randomness from one seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from projects.global_workspace.data.config import AttributeVaeConfig, VisualVaeConfig
from projects.global_workspace.data.progress import track
from projects.global_workspace.data.vae import AttributeVae, Vae, VisualVae, loss

_WARM_UP = 0.2  # share of the steps in which the learning rate rises, as in ruflab/shimmer-ssd
_BLOCK_ROWS = 1024  # encoded at a time


class Fit(NamedTuple):
    """Holds a trained autoencoder as arrays: what the cache keeps."""

    weights: dict[str, np.ndarray]
    figures: dict[str, float]  # on rows that training has not seen


def train_vae(config: VisualVaeConfig | AttributeVaeConfig, x: np.ndarray, held_out: np.ndarray) -> Fit:
    """Train a network of a configuration.

    Args:
        config: tells the network too.
        x: rows to train on: pictures, uint8 (n, 32, 32, 3), or attribute vectors, float32 (n, 11).
        held_out: rows to measure on, of the same form.

    Returns:
        Weights and figures; equal arguments give equal ones on one machine.
    """
    with _one_thread():
        vae = _train(config, x)
        return Fit({name: value.numpy() for name, value in vae.state_dict().items()}, measure(vae, held_out))


def _train(config: VisualVaeConfig | AttributeVaeConfig, x: np.ndarray) -> Vae:
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # initial weights take torch's own stream
        vae = build(config)
    optimizer = torch.optim.Adam(vae.parameters(), lr=config.lr)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.lr, total_steps=config.steps + 1, pct_start=max(_WARM_UP, 1 / config.steps)
    )
    vae.train()
    with track(f"training the {_words(config)} autoencoder", config.steps) as advance:
        for _ in range(config.steps):
            rows = torch.randint(len(x), (config.batch_size,), generator=generator).numpy()
            noise = torch.randn(config.batch_size, config.latent, generator=generator)
            optimizer.zero_grad()
            loss(vae, as_tensor(x[rows]), noise).backward()
            optimizer.step()
            one_cycle.step()
            advance(1)
    return vae.eval()


def build(config: VisualVaeConfig | AttributeVaeConfig) -> Vae:
    """Build the network of a configuration with fresh weights."""
    if isinstance(config, AttributeVaeConfig):
        return AttributeVae(config)
    vae = VisualVae(config)
    return vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # half the time of channels first


def restore(config: VisualVaeConfig | AttributeVaeConfig, weights: dict[str, np.ndarray]) -> Vae:
    """Restore the trained network, ready to encode."""
    vae = build(config)
    vae.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return vae.eval()


@torch.no_grad()
def encode(vae: Vae, x: np.ndarray) -> np.ndarray:
    """Return posterior means of rows: float32 (n, latent)."""
    with _one_thread():
        starts = range(0, len(x), _BLOCK_ROWS)
        return np.concatenate([vae.posterior(as_tensor(x[i : i + _BLOCK_ROWS]))[0].numpy() for i in starts])


@torch.no_grad()
def measure(vae: Vae, x: np.ndarray) -> dict[str, float]:
    """Measure what is lost by going through the posterior mean.

    Returns:
        mse: mean squared error of a pixel or number (of attributes: class probabilities against one-hot classes);
        variance: the mean squared error of answering with the mean of x; explained: 1 - mse / variance.
    """
    total, count = 0.0, 0
    for start in range(0, len(x), _BLOCK_ROWS):
        batch = as_tensor(x[start : start + _BLOCK_ROWS])
        total += float((reconstruct(vae, vae.posterior(batch)[0]) - batch).square().sum(dtype=torch.float64))
        count += batch.numel()
    variance = float(as_tensor(x).double().var(dim=0, correction=0).mean())
    return {"mse": total / count, "variance": variance, "explained": 1 - total / count / variance}


def reconstruct(vae: Vae, z: torch.Tensor) -> torch.Tensor:
    """Decode rows from latents: pictures (b, 3, 32, 32), or vectors (b, 11) with class probabilities."""
    hidden = vae.decoder(z)
    if isinstance(vae, VisualVae):
        return hidden
    return torch.cat([vae.classes(hidden).softmax(1), vae.rest(hidden)], dim=1)


def as_tensor(rows: np.ndarray) -> torch.Tensor:
    """Turn rows into what a network takes.

    Bytes (n, 32, 32, 3) become floats (n, 3, 32, 32) in [0, 1]; vectors stay.
    """
    if rows.dtype == np.uint8:
        return torch.from_numpy(rows).permute(0, 3, 1, 2).float() / 255  # channels last in memory, as stored
    return torch.from_numpy(rows)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: sums then have one order, whatever the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _words(config: VisualVaeConfig | AttributeVaeConfig) -> str:
    return "visual" if isinstance(config, VisualVaeConfig) else "attribute"
