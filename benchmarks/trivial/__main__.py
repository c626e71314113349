"""Run the trivial objective as a study of this engine: `python -m projects.trivial` in the benchmark's project."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rothamsted.studies import Study, main

from . import N_POINTS, N_SAMPLES_A_POINT, PARAMETERS, curve


class Config(BaseModel):
    """Run one replicate of the trivial objective."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = Field(0, ge=0)
    a: float = Field(0.5, ge=0, le=1)
    b: float = Field(0.5, ge=0, le=1)
    c: float = Field(0.5, ge=0, le=1)
    d: float = Field(0.5, ge=0, le=1)
    e: float = Field(0.5, ge=0, le=1)
    n_points: int = Field(N_POINTS, ge=1)
    wait_seconds: float = Field(0.0, ge=0, description="sleep before the first point, as if an accelerator trained")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Holds what the study yields; `samples_seen` is a third curve that the study contract asks for."""

    step: int
    epoch: float | None
    metrics: Mapping[str, np.ndarray]
    diverged: np.ndarray
    state: Callable[[], dict[str, np.ndarray]]


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement, None, None]:
    """Replay the curve of each member; see the study contract in docs/design.md."""
    first = int(state["step"]) if state is not None else 0
    time.sleep(configs[0].wait_seconds)
    curves = [
        curve({name: getattr(config, name) for name in PARAMETERS}, config.seed, config.n_points) for config in configs
    ]
    for points in zip(*curves, strict=True):
        step = points[0][0]
        if step <= first:
            continue
        metrics = {name: np.array([metrics[name] for _, metrics in points]) for name in points[0][1]}
        metrics["samples_seen"] = np.full(len(configs), float(N_SAMPLES_A_POINT * step))
        yield Measurement(
            step=step,
            epoch=None,
            metrics=metrics,
            diverged=np.zeros(len(configs), dtype=bool),
            state=_state_at(step),
        )


def _state_at(step: int) -> Callable[[], dict[str, np.ndarray]]:
    return lambda: {"step": np.array(step)}


STUDY = Study(
    name="trivial",
    config=Config,
    train=train,
    varies=frozenset({"seed", *PARAMETERS}),
    rtol=0.0,  # each member's curve is computed by itself
)

if __name__ == "__main__":
    main(STUDY)
