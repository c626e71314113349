"""A study that trains in microseconds: momentum descent on a noisy parabola, to the whole study contract.

It is apart so that tests of the engine have a real study (resumable, population-wise, able to diverge, raise,
sleep and be killed) without a compiler. Loss of a member: 0.5 * (w - 1)^2 with w(0) = x and step size lr, so
without momentum w(t) - 1 = (x - 1) (1 - lr)^t, and training diverges if and only if |1 - lr| > 1.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rothamsted.studies import Study

NOISE_SD = 0.01  # of the validation loss, so that seeds differ
BATCH_SIZE = 8
BAD = 100.0  # what a bad seed adds to the validation loss


class ToyError(Exception):
    """A mistake of the toy's user, say a file that is missing."""


class Optimizer(BaseModel):
    """How the parameter moves."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Literal["sgd", "heavy_ball"] = "sgd"
    momentum: float = Field(default=0.0, ge=0, lt=1, description="share of the last move that is kept")


class Data(BaseModel):
    """What is held out: a split moves the validation loss of all members and conditions alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = Field(default=0, ge=0, description="seed of the split")
    noise: float = Field(default=0.0, ge=0, description="sd over splits of the validation loss")


class Config(BaseModel):
    """One run of the toy."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = Field(default=0, ge=0, description="seed of the noise")
    lr: float = Field(default=0.1, gt=0, description="step size")
    x: float = Field(default=0.0, description="where the parameter starts")
    optimizer: Optimizer = Optimizer()
    data: Data = Data()
    steps: int = Field(default=20, ge=1, description="steps to train")
    n_points: int = Field(default=10, ge=1, description="measurements; the last one is after the last step")
    steps_per_epoch: int | None = Field(default=None, ge=0, description="none: all steps are one epoch; 0: no epochs")
    own_noise: float = Field(default=0.0, ge=0, description="sd of noise that each condition has for itself")
    sleep_seconds: float = Field(default=0.0, ge=0, description="sleep at every step")
    diverge_above: float = Field(default=1e6, gt=0, description="a train loss above this is divergence")
    fail: bool = Field(default=False, description="raise after the first measurement")
    fail_at_seed: int = Field(default=-1, description="raise after the first measurement where this is the seed")
    bad_at_seed: int = Field(default=-1, description="a validation loss of 100 more where this is the seed")
    bad_from_lr: float = Field(default=0.0, ge=0, description="and the step size is this or more")
    fail_with: Literal["error", "memory", "user"] = "error"
    kill_at_step: int = Field(default=-1, description="SIGKILL the own process at the start of this step")
    kill_marker: str = Field(default="", description="file that notes a kill, so that there is one only; empty: always")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What the toy yields."""

    step: int
    epoch: float | None
    metrics: Mapping[str, np.ndarray]
    diverged: np.ndarray
    state: Callable[[], dict[str, np.ndarray]]


class Model(NamedTuple):
    """A trained toy."""

    w: float

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return inputs * self.w


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement, None, list[Model]]:
    """Train a population; see the study contract in docs/design.md."""
    config = configs[0]
    lr = np.array([member.lr for member in configs])
    momentum = np.array([member.optimizer.momentum for member in configs])
    noise = np.stack([_noise(member) for member in configs], axis=1)  # (step, member)
    first, w, move = 0, np.array([member.x for member in configs]), np.zeros(len(configs))
    if state is not None:
        first, w, move = int(state["step"]), state["w"].copy(), state["move"].copy()
    points = set(np.linspace(config.steps, 0, config.n_points, endpoint=False).round().astype(int).tolist())
    for step in range(first + 1, config.steps + 1):
        _misbehave(config, step)
        with np.errstate(over="ignore", invalid="ignore"):
            move = momentum * move - lr * (w - 1)
            w = w + move
            loss = 0.5 * (w - 1) ** 2
        if step in points:
            diverged = ~(loss <= config.diverge_above)
            yield _measurement(config, step, w, move, lr, loss, noise[step - 1], diverged)
            if diverged.all():
                break
            if config.fail or config.seed == config.fail_at_seed:
                raise _error(config)
    return [Model(float(value)) for value in w]


def _epoch(config: Config, step: int) -> float | None:
    n_steps = config.steps if config.steps_per_epoch is None else config.steps_per_epoch
    return step / n_steps if n_steps else None


def _measurement(
    config: Config,
    step: int,
    w: np.ndarray,
    move: np.ndarray,
    lr: np.ndarray,
    loss: np.ndarray,
    noise: np.ndarray,
    diverged: np.ndarray,
) -> Measurement:
    return Measurement(
        step=step,
        epoch=_epoch(config, step),
        metrics={
            "train_loss": np.where(diverged, np.nan, loss),
            "val_loss": np.where(diverged, np.nan, loss + noise),
            "learning_rate": lr,
            "samples_seen": np.full(len(lr), float(BATCH_SIZE * step)),
        },
        diverged=diverged,
        state=lambda: {"step": np.array(step), "w": w, "move": move},
    )


def _noise(config: Config) -> np.ndarray:
    """(step,) from the seed alone, or seed and condition: the same in every population and after every resume."""
    common = np.random.default_rng(config.seed).normal(0.0, NOISE_SD, config.steps)
    if config.data.noise:
        common = common + np.random.default_rng([config.data.seed, 1]).normal(0.0, config.data.noise)
    if config.seed == config.bad_at_seed and config.lr >= config.bad_from_lr:
        common = common + BAD
    if not config.own_noise:
        return common
    digest = hashlib.sha256(f"{config.lr!r} {config.x!r} {config.seed}".encode()).digest()
    own = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    return common + own.normal(0.0, config.own_noise, config.steps)


def _misbehave(config: Config, step: int) -> None:
    if config.sleep_seconds:
        time.sleep(config.sleep_seconds)
    if step == config.kill_at_step and not (config.kill_marker and Path(config.kill_marker).exists()):
        if config.kill_marker:
            Path(config.kill_marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _error(config: Config) -> Exception:
    return {
        "error": RuntimeError("the toy was told to fail"),
        "memory": MemoryError("the toy was told to run out of memory"),
        "user": ToyError("toy data are missing; make them with prepare_data"),
    }[config.fail_with]


def prepare_toy(*, source: str | None, target: Path | None) -> Path:
    """Copy a text file: the smallest data set that can be prepared."""
    if source is None or not Path(source).is_file():
        raise ToyError(f"{source}: is not a file; give source=FILE")
    path = target or Path(source).with_suffix(".toy")
    path.write_bytes(Path(source).read_bytes())
    return path


def data_digest(config: Config) -> str:
    """The toy's data are a formula."""
    return hashlib.sha256(b"0.5 * (w - 1)^2").hexdigest()


def is_longer(new: Config, old: Config) -> bool:
    """The toy's noise at a step does not depend on how many steps there are."""
    return new.steps >= old.steps and new.model_copy(update={"steps": old.steps, "n_points": old.n_points}) == old


STUDY = Study(
    name="toy",
    config=Config,
    train=train,
    varies=frozenset({"seed", "lr", "x", "optimizer.momentum"}),
    extends=is_longer,
    rtol=0.0,  # numpy's elementwise arithmetic does not depend on the neighbours
    datasets={"toy": prepare_toy},
    data_digest=data_digest,
    user_errors=(ToyError,),
)
