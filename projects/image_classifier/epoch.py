"""Train one pass over the training images: batches, augmentation, mixup, gradients, updates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from projects.image_classifier import augment
from projects.image_classifier.config import Config
from projects.image_classifier.device import Images, mixed
from projects.image_classifier.network import set_training
from projects.image_classifier.randomness import Stream, generator_of, order_of, seed_device, seed_of

Prepare = Callable[[torch.Tensor], torch.Tensor]  # images between 0 and 1 -> as the network takes them


class EpochResult(NamedTuple):
    """Holds the results of an epoch of training."""

    batch_loss: float  # mean over batches, of images as augmented, with smoothing and class weights
    grad_norm: float  # mean over updates of the norm before it is cut; NaN where it is not cut


class Mixture(NamedTuple):
    """Holds a batch to train on: each image has one or, by mixup, two labels."""

    images: torch.Tensor  # (row, 3, side, side), as augmented, between 0 and 1
    labels: torch.Tensor  # (row,)
    other_labels: torch.Tensor | None  # (row,); None without mixup
    share: float  # of the first label


def steps_per_epoch(config: Config, n_train: int) -> int:
    """Count the updates in one epoch."""
    return len(_updates(torch.arange(n_train), config))


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Images,
    prepare: Prepare,
    class_weights: torch.Tensor | None,
    config: Config,
    epoch: int,
    lr_at: Callable[[float], float],
) -> EpochResult:
    """Train a network for one epoch, in place.

    Args:
        network: on the images' device.
        optimizer: of its parameters.
        images: the training part.
        prepare: the scaling of pixels.
        class_weights: (class,), or None where all count the same.
        config: of the run.
        epoch: passes done before this one.
        lr_at: learning rate of the update that begins after so many passes.
    """
    set_training(network, config)
    updates = _updates(order_of(config.seed, epoch, len(images.labels)), config)
    losses, norms = [], []
    for step, batches in enumerate(updates):
        for group in optimizer.param_groups:
            group["lr"] = lr_at(epoch + step / len(updates))
        seed_device(images.labels.device, seed_of(config.seed, Stream.DROPOUT, epoch, step))
        generator = generator_of(config.seed, Stream.AUGMENT, epoch, step)
        optimizer.zero_grad(set_to_none=True)
        n_rows = sum(map(len, batches))
        for rows in batches:
            batch = training_batch(images, rows, config, generator)
            with mixed(config, batch.images.device):
                scores = network(prepare(batch.images)).float()  # (row, class)
            loss = _loss(scores, batch, class_weights, config.label_smoothing)
            (loss * (len(rows) / n_rows)).backward()
            losses.append(loss.detach())
        if config.optimizer.clip_norm is not None:
            norms.append(nn.utils.clip_grad_norm_(network.parameters(), config.optimizer.clip_norm))
        optimizer.step()
    return EpochResult(_mean(losses), _mean(norms))


def _updates(order: torch.Tensor, config: Config) -> list[list[torch.Tensor]]:
    """The batches of each update of an epoch: every image once, in this order.

    The last batch has the images that are left. A single one goes into the batch before it: batch norm needs two.
    """
    batches = list(order.split(config.batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    size = config.optimizer.accumulate
    return [batches[start : start + size] for start in range(0, len(batches), size)]


def training_batch(images: Images, rows: torch.Tensor, config: Config, generator: torch.Generator) -> Mixture:
    """Return some training images, augmented and mixed; a pure function of the generator.

    Args:
        images: the training part.
        rows: (row,), on the CPU.
        config: gives the augmentation.
        generator: source of what is random.
    """
    batch = images.images[rows].to(images.labels.device).float().div_(255)  # (row, 3, side, side)
    labels = images.labels[rows.to(images.labels.device)]
    if config.augment.flip:
        batch = augment.flip(batch, generator)
    batch = augment.LEVELS[config.augment.level](batch, generator)
    if not config.augment.mixup:
        return Mixture(batch, labels, None, 1.0)
    entropy = int(torch.randint(0, 2**62, (1,), generator=generator))
    share = float(np.random.default_rng(entropy).beta(config.augment.mixup, config.augment.mixup))
    other = torch.randperm(len(rows), generator=generator).to(batch.device)
    return Mixture(share * batch + (1 - share) * batch[other], labels, labels[other], share)


def _loss(
    scores: torch.Tensor, batch: Mixture, class_weights: torch.Tensor | None, label_smoothing: float
) -> torch.Tensor:
    """Cross-entropy, mean over the batch; with mixup that of both labels in their shares."""

    def of_labels(labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(scores, labels, weight=class_weights, label_smoothing=label_smoothing)

    if batch.other_labels is None:
        return of_labels(batch.labels)
    return batch.share * of_labels(batch.labels) + (1 - batch.share) * of_labels(batch.other_labels)


def _mean(values: list[torch.Tensor]) -> float:
    return float(torch.stack(values).mean()) if values else math.nan
