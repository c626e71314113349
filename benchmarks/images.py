"""Throughput of the image studies: the study's own training against a plain loop of the same model, and of reading.

Apart from `trainings`, which times whole sweeps: here one process trains, and what counts is what the study adds to
PyTorch: its measurements' bookkeeping, seeding of every batch, copies of the best weights. CPU time decides, since it
does not see what else the machine does; the two alternate, and the median of the rounds counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jsonargparse import auto_cli
from PIL import Image
from torch.nn import functional

from benchmarks.report import Figure, publish
from projects.image_classifier.config import Config
from projects.image_classifier.data.decode import decode_files
from projects.image_classifier.data.load import load_images
from projects.image_classifier.models import build_network
from projects.image_classifier.network import family_settings
from projects.image_classifier.train import train

MOST_SLOWER = 1.05  # the study over the plain loop
SIDE_OF_PHOTOGRAPHS, SIDE_AS_READ = 256, 64  # pixels


class Cost(NamedTuple):
    """What something took."""

    cpu_seconds: float
    wall_seconds: float


def timed(work: Callable[[], object]) -> Cost:
    """Run it once, all threads of this process counted."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def run_study(config: Config) -> None:
    """The study's training to its end, its files not asked for."""
    for _ in train([config]):
        pass


def run_plain(config: Config) -> None:
    """What one would write by hand: the same network, optimiser, batches, measurements and memory format."""
    data = load_images(config.data)
    x, val_x = (torch.from_numpy(part.images.copy()) for part in (data.train, data.val))
    y, val_y = (torch.from_numpy(part.labels.copy()) for part in (data.train, data.val))
    mean, std = x.float().mean((0, 2, 3), keepdim=True) / 255, x.float().std((0, 2, 3), keepdim=True) / 255
    torch.set_num_threads(config.threads)
    network = build_network(config.model.family, data.n_classes, family_settings(config.model))
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  torch's stub
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.optimizer.lr, fused=True)

    def prepared(images: torch.Tensor) -> torch.Tensor:
        return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)

    for _ in range(config.epochs):
        network.train()
        order = torch.randperm(len(y))
        for rows in order[: len(y) // config.batch_size * config.batch_size].split(config.batch_size):
            optimizer.zero_grad()
            functional.cross_entropy(network(prepared(x[rows])), y[rows]).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            for images, labels in ((val_x, val_y), (x[: len(val_y)], y[: len(val_y)])):
                scores = torch.cat([network(prepared(part)) for part in images.split(128)])
                functional.cross_entropy(scores, labels).item()
                (scores.argmax(1) == labels).float().mean().item()


def reading(n_images: int) -> tuple[Cost, Cost]:
    """Decoding photographs from JPEG files the first time, and taking them from what was kept."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{index:05d}.jpg" for index in range(n_images)]
        for path in files:
            coarse = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            image = Image.fromarray(coarse).resize((SIDE_OF_PHOTOGRAPHS, SIDE_OF_PHOTOGRAPHS))
            image.save(path, quality=88)
        cache = Path(folder) / "cache"
        first = timed(lambda: decode_files(files, SIDE_AS_READ, cache))
        return first, timed(lambda: decode_files(files, SIDE_AS_READ, cache))


def main(
    *, epochs: int = 4, rounds: int = 5, n_images: int = 400, threads: int = 1, json_path: Path | None = None
) -> None:
    """Compare, and print one table.

    Args:
        epochs: of each training.
        rounds: pairs of trainings; the median ratio counts.
        n_images: JPEG files to read.
        threads: of a training.
        json_path: where to write the figures too.
    """
    config = Config(epochs=epochs, threads=threads)
    run_study(config.model_copy(update={"epochs": 1}))  # makes the pictures and warms both
    pairs = [(timed(lambda: run_study(config)), timed(lambda: run_plain(config))) for _ in range(rounds)]
    ratio = statistics.median(study.cpu_seconds / plain.cpu_seconds for study, plain in pairs)
    wall = statistics.median(study.wall_seconds / plain.wall_seconds for study, plain in pairs)
    n_trained = epochs * len(load_images(config.data).train.labels)
    rate = n_trained / statistics.median(study.cpu_seconds for study, _ in pairs)
    first, kept = reading(n_images)
    publish(
        f"Image studies ({epochs} epochs of the default CNN, {rounds} rounds, {threads} threads)",
        [
            Figure(name="the study / a plain loop, CPU time", value=ratio, at_most=MOST_SLOWER, note="median of pairs"),
            Figure(name="the study / a plain loop, wall time", value=wall, note="median of pairs"),
            Figure(name="images trained on, measuring included", value=rate, unit="/s of CPU"),
            Figure(name="JPEG files decoded", value=n_images / first.cpu_seconds, unit="/s of CPU"),
            Figure(name="cores kept busy while decoding", value=first.cpu_seconds / first.wall_seconds),
            Figure(name="decoded images taken up again", value=n_images / kept.wall_seconds, unit="/s"),
        ],
        json_path,
    )


if __name__ == "__main__":
    auto_cli(main)
