"""A study that leaves pictures and texts behind, whose metrics have slashes in their names and a list for a parameter.

It is apart from the toy of `tests.toy`, which has none of these: what a study may also do is asked of this one.
Train loss of a member after t steps: (1 - lr)^t / sum(hidden), and validation loss the same with noise of the seed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rothamsted.studies import Study


class SketchError(Exception):
    """A mistake of the study's user."""


class Model(BaseModel):
    """What is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    hidden: tuple[int, ...] = Field(default=(4,), min_length=1, description="widths of the layers")
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Config(BaseModel):
    """One run of the sketch."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = Field(default=0, ge=0)
    lr: float = Field(default=0.5, gt=0, lt=1)
    steps: int = Field(default=3, ge=1)
    model: Model = Model()
    weights: dict[str, float] = Field(default_factory=dict, description="weight of each class")
    activation: Literal["relu", "tanh"] = "relu"
    fail_at: int = Field(default=-1, description="raise at the start of this step")
    path: str = Field(default="", description="one more artifact of every measurement")
    breaks: Literal["", "content", "raises", "user"] = ""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measurement, with its artifacts."""

    step: int
    epoch: float | None
    metrics: Mapping[str, np.ndarray]
    diverged: np.ndarray
    state: Callable[[], dict[str, np.ndarray]]
    artifacts: Callable[[], list[dict[str, str | bytes]]] | None


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement, None, None]:
    """Train a population; nothing but the step has to be kept."""
    first = 0 if state is None else int(state["step"])
    for step in range(first + 1, configs[0].steps + 1):
        if step == configs[0].fail_at:
            raise SketchError("told to fail")
        train_loss = np.array([(1 - c.lr) ** step / sum(c.model.hidden) for c in configs])
        noise = np.array([np.random.default_rng([c.seed, step, int(1e6 * c.lr)]).normal(0.0, 1e-3) for c in configs])
        yield Measurement(
            step=step,
            epoch=float(step),
            metrics={
                "train/loss": train_loss,
                "validation/loss": train_loss + noise,
                "validation/accuracy": 1 - train_loss - noise,
                "samples_seen": np.full(len(configs), 8.0 * step),
            },
            diverged=np.zeros(len(configs), bool),
            state=lambda step=step: {"step": np.array(step)},
            artifacts=lambda step=step: artifacts(configs, step),
        )


def artifacts(configs: Sequence[Config], step: int) -> Any:
    """A text and a picture a member, and what the config says beside them."""
    if configs[0].breaks in ("raises", "user"):
        raise {"raises": ValueError, "user": SketchError}[configs[0].breaks]("no sample today")
    given = []
    for config in configs:
        own: dict[str, Any] = {
            f"samples/step_{step:06d}.txt": f"seed {config.seed}, größer als {step}\n",
            "pictures/last.png": picture(config.seed, step),
        }
        if config.path:
            own[config.path] = 1 if config.breaks == "content" else "text"
        given.append(own)
    return given


def picture(seed: int, step: int) -> bytes:
    """A PNG of 4 x 4 grey pixels of brightness 10 seed + step."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (4, 4), 10 * seed + step).save(file, "png")
    return file.getvalue()


def prepare_strokes(
    *,
    source: str | None,
    target: Path | None,
    seed: int = 0,
    per_class: int = 10,
    scale: float = 1.0,
    bold: bool = False,
) -> Path:
    """Draw strokes: a data set with options of its own."""
    if per_class < 1:
        raise SketchError(f"per_class must be 1 or more, not {per_class}")
    path = target or Path("strokes.txt")
    path.write_text(f"{source} {seed!r} {per_class!r} {scale!r} {bold!r}")
    return path


STUDY = Study(
    name="sketch",
    config=Config,
    train=train,
    varies=frozenset({"seed", "lr", "model.dropout"}),
    rtol=0.0,
    datasets={"strokes": prepare_strokes},
    user_errors=(SketchError,),
)
