"""Do the updates of a training: batches, gradient, clipping, AdamW; only time is measured here."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from projects.language_model.config import Config
from projects.language_model.data import Tokens, make_batch
from projects.language_model.device import loss_scaler, precision, synchronize
from projects.language_model.model import Transformer
from projects.language_model.schedule import learning_rate_at
from projects.language_model.state import Progress

_BATCHES = 0  # this stream of a seed; samples of text have another


class Stretch(NamedTuple):
    """Holds the results of the updates between two measurements."""

    train_loss: float  # mean over the updates, each before it
    learning_rate: float  # of the last update
    grad_norm: float  # of the last update, before clipping
    tokens_per_second: float  # NaN where there was none


def batch_starts(config: Config, update: int, n_tokens: int) -> np.ndarray:
    """Say where the sequences of an update begin, (sequence,): uniform, a function of seed and update alone.

    Args:
        config: seed, sequences a batch and tokens a sequence.
        update: number of the update, from 1.
        n_tokens: in the training file.
    """
    rng = np.random.default_rng([config.seed, _BATCHES, update])
    return rng.integers(0, n_tokens - config.context_length, config.batch_size)


def make_optimizer(model: Transformer, config: Config) -> torch.optim.AdamW:
    """Make AdamW, fused; matrices decay and norms do not. Loshchilov & Hutter, arXiv:1711.05101."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    norms = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}]
    if norms:
        groups.append({"params": norms, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)


class Updater:
    """Trains one model; the compiled form of the model is kept here."""

    def __init__(self, config: Config, tokens: Tokens, device: torch.device, model: Transformer) -> None:
        self._config, self._tokens, self._device = config, tokens, device
        self._forward = torch.compile(model) if config.compile else model

    def train_to(self, now: Progress, step: int) -> Stretch:
        """Update `now` until `step` updates are done; there is at least one."""
        losses, first = [], now.step
        synchronize(self._device)
        began = time.perf_counter()
        while now.step < step:
            loss, grad_norm = self._update(now, now.step + 1)
            losses.append(loss)
        train_loss, norm = float(torch.stack(losses).cpu().double().mean()), float(grad_norm)  # waits for the device
        seconds = time.perf_counter() - began
        n_tokens = (step - first) * self._config.batch_size * self._config.context_length
        return Stretch(train_loss, learning_rate_at(self._config, step), norm, n_tokens / seconds)

    def look(self, now: Progress) -> Stretch:
        """Measure loss and gradient of the first batch, before any update."""
        loss, grad_norm = self._differentiate(now, 1, loss_scaler(self._config, self._device))
        return Stretch(float(loss), learning_rate_at(self._config, 0), float(grad_norm), float("nan"))

    def warm_up(self, now: Progress) -> None:
        """Compile what training calls, where it is compiled; nothing but gradients changes, which no update reads."""
        self._differentiate(now, 1, loss_scaler(self._config, self._device))

    def _update(self, now: Progress, update: int) -> tuple[torch.Tensor, torch.Tensor]:
        loss, grad_norm = self._differentiate(now, update, now.scaler)
        for group in now.optimizer.param_groups:
            group["lr"] = learning_rate_at(self._config, update)
        if now.scaler is None:
            now.optimizer.step()
        else:
            now.scaler.step(now.optimizer)  # makes no update where a gradient is not finite
            now.scaler.update()
        now.step = update
        return loss, grad_norm

    def _differentiate(
        self, now: Progress, update: int, scaler: torch.amp.GradScaler | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss of an update's batch, and the norm of its gradient, which is left clipped on the parameters."""
        now.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=_loss_dtype(self._config), device=self._device)
        for inputs, targets in self._parts(update):
            loss = self._loss(inputs, targets) / self._config.accumulation_steps
            (loss if scaler is None else scaler.scale(loss)).backward()
            total += loss.detach()
        if scaler is not None:
            scaler.unscale_(now.optimizer)
        largest = float("inf") if self._config.grad_clip is None else self._config.grad_clip
        return total, torch.nn.utils.clip_grad_norm_(now.model.parameters(), largest)

    def _loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy, nats a token."""
        with precision(self._config, self._device):
            logits = self._forward(inputs)  # (b, t, v)
        return functional.cross_entropy(logits.flatten(0, 1).to(_loss_dtype(self._config)), targets.flatten())

    def _parts(self, update: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The batch of an update in its parts: inputs and targets, (sequence, token)."""
        config = self._config
        starts = batch_starts(config, update, len(self._tokens.train))
        batch = [torch.from_numpy(part) for part in make_batch(self._tokens.train, starts, config.context_length)]
        if self._device.type == "cuda":  # pinned memory is copied while the device computes
            batch = [part.pin_memory().to(self._device, non_blocking=True) for part in batch]
        inputs, targets = (part.chunk(config.accumulation_steps) for part in batch)
        return list(zip(inputs, targets, strict=True))


def _loss_dtype(config: Config) -> torch.dtype:
    return torch.float64 if config.dtype == "float64" else torch.float32
