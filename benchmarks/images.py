"""Measure the throughput of the image studies, compared with a plain loop of the same model, and of reading data.

One process trains. The difference is what the study adds to PyTorch: bookkeeping of measurements, seeding of every
batch, copies of the best weights. CPU time is compared, because other work on the machine does not change it. The two
alternate, and the median of the rounds counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jsonargparse import auto_cli
from PIL import Image

from benchmarks import plain_images
from benchmarks.report import Figure, publish
from projects.emnist_mlp.config import Config as CharactersConfig
from projects.emnist_mlp.train import train as train_on_characters
from projects.image_classifier.config import Config
from projects.image_classifier.data.decode import decode_files
from projects.image_classifier.data.load import load_images
from projects.image_classifier.device import on_device
from projects.image_classifier.epoch import training_batch
from projects.image_classifier.randomness import Stream, generator_of, order_of
from projects.image_classifier.scaling import channel_scaling, standardized
from projects.image_classifier.train import train

MOST_SLOWER = 1.05  # the study over the plain loop
MOST_LOADING = 0.1  # of a training's time
SIDE_OF_PHOTOGRAPHS, SIDE_AS_READ = 256, 64  # pixels


class Cost(NamedTuple):
    """Holds what something took."""

    cpu_seconds: float
    wall_seconds: float


def timed(work: Callable[[], object]) -> Cost:
    """Run it once, all threads of this process counted."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def run_to_its_end(training: Iterator[object]) -> None:
    """Run a study's training to its end, its files not asked for."""
    for _ in training:
        pass


def in_turn(study: Callable[[], object], plain: Callable[[], object], rounds: int) -> list[tuple[Cost, Cost]]:
    """Return pairs of a study's cost and a plain loop's; every second pair begins with the loop."""
    pairs = []
    for index in range(rounds):
        first, second = (study, plain) if index % 2 == 0 else (plain, study)
        costs = timed(first), timed(second)
        pairs.append(costs if index % 2 == 0 else costs[::-1])
    return pairs


def ratio_of(pairs: Sequence[tuple[Cost, Cost]], name: str) -> float:
    """Return the median over pairs of the study's cost over the loop's."""
    return statistics.median(getattr(study, name) / getattr(plain, name) for study, plain in pairs)


def take_batches(config: Config) -> None:
    """Take all batches of a training as its network takes them, and do nothing else."""
    data = load_images(config.data)
    images = on_device(data, "train", torch.device("cpu"))
    mean, std = channel_scaling(config.model.family, data.train.images)
    for epoch in range(config.epochs):
        for step, rows in enumerate(order_of(config.seed, epoch, len(images.labels)).split(config.batch_size)):
            generator = generator_of(config.seed, Stream.AUGMENT, epoch, step)
            standardized(training_batch(images, rows, config, generator).images, mean, std)


def reading(n_images: int) -> tuple[Cost, Cost]:
    """Time decoding photographs from JPEG files the first time, and taking them from what was kept."""
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
    characters = CharactersConfig(epochs=epochs, threads=threads)
    run_to_its_end(train([config.model_copy(update={"epochs": 1})]))  # makes the pictures and warms both
    run_to_its_end(train_on_characters([characters.model_copy(update={"epochs": 1})]))
    pairs = in_turn(lambda: run_to_its_end(train([config])), lambda: plain_images.classify_images(config), rounds)
    others = in_turn(
        lambda: run_to_its_end(train_on_characters([characters])),
        lambda: plain_images.classify_characters(characters),
        rounds,
    )
    n_trained = epochs * len(load_images(config.data).train.labels)
    rate = n_trained / statistics.median(study.cpu_seconds for study, _ in pairs)
    loading = [timed(lambda: take_batches(config)).cpu_seconds for _ in range(rounds)]
    share = statistics.median(loading) / statistics.median(study.cpu_seconds for study, _ in pairs)
    first, kept = reading(n_images)
    note = "median of pairs"
    publish(
        f"Image studies ({epochs} epochs of each default, {rounds} rounds, {threads} threads)",
        [
            Figure(
                name="image_classifier / a plain loop, CPU time",
                value=ratio_of(pairs, "cpu_seconds"),
                at_most=MOST_SLOWER,
                note=note,
            ),
            Figure(name="image_classifier / a plain loop, wall time", value=ratio_of(pairs, "wall_seconds"), note=note),
            Figure(
                name="emnist_mlp / a plain loop, CPU time",
                value=ratio_of(others, "cpu_seconds"),
                at_most=MOST_SLOWER,
                note=note,
            ),
            Figure(name="emnist_mlp / a plain loop, wall time", value=ratio_of(others, "wall_seconds"), note=note),
            Figure(name="images trained on, measuring included", value=rate, unit="/s of CPU"),
            Figure(
                name="taking batches, share of a training",
                value=share,
                at_most=MOST_LOADING,
                note="CPU time; no core waits for it",
            ),
            Figure(name="JPEG files decoded", value=n_images / first.cpu_seconds, unit="/s of CPU"),
            Figure(name="cores kept busy while decoding", value=first.cpu_seconds / first.wall_seconds),
            Figure(name="decoded images taken up again", value=n_images / kept.wall_seconds, unit="/s"),
        ],
        json_path,
    )


if __name__ == "__main__":
    auto_cli(main)
