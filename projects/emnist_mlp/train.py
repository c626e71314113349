"""Run the training loop: yield measurements, go on from a state, return trained models.

It follows the study contract of docs/design.md. `member` trains one member.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from projects.emnist_mlp.config import MOST_MEASURED_TRAIN_ROWS, Config, n_steps_of
from projects.emnist_mlp.data import DataConfig, DataProblem, Dataset, Rows, load_dataset
from projects.emnist_mlp.data.split import stratified_order
from projects.emnist_mlp.member import N_EXAMPLE_ROWS, Arrays, Member, placed
from projects.emnist_mlp.trained import TrainedModel
from projects.pictures.grid import picture_grid
from projects.training.batches import rows_seen
from projects.training.measured import evenly_measured
from projects.training.measurement import Artifacts, Measurement

N_PICTURED, N_COLUMNS = 48, 8


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement | None, None, list[TrainedModel]]:
    """Train one member, or several in turn between two measurements.

    The first measurement is at step 0, before any update; then `evals` follow, evenly spaced, the last after the last
    step. It ends early when every member has diverged. After a resume it yields None first, when everything is set up.

    Metrics are train/ and validation/ with loss (cross-entropy, without smoothing and penalties) and accuracy (0 to
    1), gap/accuracy (train less validation), learning_rate (of the last update), weight_norm, samples_seen. Training
    rows are at most 4,096, without dropout and distortions. A member diverges if its training loss is not finite.

    Args:
        configs: The members, equal in all fields that may not vary.
        state: State of a measurement; training goes on right after it, with the same numbers.

    Raises:
        DataProblem: The data cannot be used, the batch is larger than the training set, or there is no such device.
        ValueError: The state is of another population.
    """
    if not configs:
        raise ValueError("train: configs is empty; give one config or more")
    first = configs[0]
    torch.set_num_threads(first.threads)
    data = load_dataset(first.data)
    arrays = _arrays(first, data)
    n_steps = n_steps_of(first, len(data.train.y))
    members = [Member(config, arrays, n_steps) for config in configs]
    done, diverged = -1, np.zeros(len(configs), bool)
    if state is not None:
        done, diverged = _restore(members, state)
        yield None
    for step in evenly_measured(first.evals, n_steps):
        if step <= done:
            continue
        if diverged.all():
            break
        for member in (member for member, is_over in zip(members, diverged) if not is_over):
            for index in range(max(done, 0), step):
                member.step(index)
        done = step
        found = [member.measure(step) for member in members]
        metrics = {name: np.array([of_member[name] for of_member in found]) for name in found[0]}
        n_seen = rows_seen(step, first.batch_size, len(data.train.y))
        metrics["samples_seen"] = np.full(len(members), float(n_seen))
        diverged = diverged | ~np.isfinite(metrics["train/loss"])
        yield Measurement(
            step=step,
            epoch=n_seen / len(data.train.y),
            metrics=metrics,
            diverged=diverged.copy(),
            state=partial(_state, members, step, diverged),
            keep=partial(_keep, members),
            artifacts=partial(_pictures, members, data.classes) if step == 0 and first.pictures else None,
        )
    return [member.model(data.validation.x[:N_EXAMPLE_ROWS]) for member in members]


def _arrays(config: Config, data: Dataset) -> Arrays:
    """The data where it computes, once for many trainings."""
    if config.batch_size > len(data.train.y):
        raise DataProblem(
            f"batch_size: {config.batch_size} rows a step is more than the {len(data.train.y)} training rows of "
            f"{config.data.name!r}; make it smaller or data.n_train larger"
        )
    if config.device == "cuda" and not torch.cuda.is_available():
        raise DataProblem("device: cuda is not available to torch on this machine; set device to cpu")
    return _placed_arrays(config.data, data.digest, config.device, Path.cwd())


@lru_cache(maxsize=2)
def _placed_arrays(config: DataConfig, digest: str, device: str, working_directory: Path) -> Arrays:
    data = load_dataset(config)
    order = stratified_order(data.train.y, np.random.default_rng(config.seed))[:MOST_MEASURED_TRAIN_ROWS]
    looked_at = Rows(data.train.x[order], data.train.y[order])
    parts = {"train": looked_at, "validation": data.validation}
    pixels = np.bincount(data.train.x.reshape(-1), minlength=256) / data.train.x.size  # share of each grey
    grey = np.arange(256) / 255
    mean = float(pixels @ grey)
    sd = float(np.sqrt(pixels @ (grey - mean) ** 2))
    if sd == 0:
        raise DataProblem(f"data: all training pixels of {config.name!r} have one grey, {mean:.3g}; give other images")
    measured = {name: placed(rows, device) for name, rows in parts.items()}
    return Arrays(placed(data.train, device), measured, placed(data.test, device), data.classes, mean, sd)


def _keep(members: Sequence[Member], mask: np.ndarray) -> None:
    for member in np.flatnonzero(mask).tolist():
        members[member].keep()


def _state(members: Sequence[Member], step: int, diverged: np.ndarray) -> dict[str, np.ndarray]:
    state = {"step": np.asarray(step, np.int64), "diverged": diverged.copy()}
    for number, member in enumerate(members):
        state |= {f"{number}/{name}": value for name, value in member.state().items()}
    return state


def _restore(members: Sequence[Member], state: Mapping[str, np.ndarray]) -> tuple[int, np.ndarray]:
    if len(state["diverged"]) != len(members):
        raise ValueError(
            f"state: has the length {len(state['diverged'])}, and the number of configs is {len(members)}; "
            "start without a "
            "state"
        )
    for number, member in enumerate(members):
        prefix = f"{number}/"
        member.restore({key.removeprefix(prefix): kept for key, kept in state.items() if key.startswith(prefix)})
    return int(state["step"]), state["diverged"].copy()


def _pictures(members: Sequence[Member], classes: tuple[str, ...]) -> Artifacts:
    """The first images that each member trains on, as it sees them."""
    sheets = []
    for member in members:
        x, y = (part[:N_PICTURED].cpu() for part in member.batch(0))
        images = (x * 255).round().to(torch.uint8).numpy()
        titles = [classes[int(label)] for label in y]
        sheets.append({"samples/epoch0.png": picture_grid(images, titles, N_COLUMNS)})
    return sheets
