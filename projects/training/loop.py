"""Run the loop of a population that trains in one compiled call: measure at each planned step, until all diverged."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from projects.training.measurement import Measurement
from projects.training.state import Kept, keep


class Population(Protocol):
    """Describes a population right after a measurement."""

    @property
    def step(self) -> int:
        """Return the number of updates done."""
        ...

    @property
    def diverged(self) -> np.ndarray:
        """Say which members have diverged, (member,) bool."""
        ...


P = TypeVar("P", bound=Population)


class Run(Protocol[P]):
    """Holds what stays the same from the first step to the last."""

    def measured_steps(self) -> Sequence[int]:
        """Return the steps at which it is measured, in order; 0 is before any update."""
        ...

    def epoch(self, step: int) -> float | None:
        """Passes over the data that so many updates are; None where data are drawn afresh."""
        ...

    def advance(self, now: P, step: int) -> tuple[P, dict[str, np.ndarray]]:
        """Train the population to a later step, or stay at its own, and return it with its metrics there."""
        ...


def measured(
    run: Run[P], now: P, kept: Kept, flat_state: Callable[[P, Kept], dict[str, np.ndarray]], *, is_resumed: bool
) -> Generator[Measurement, None, P]:
    """Train a population from where it is, and yield its measurements; gives the population as it ends.

    Args:
        run: What is trained.
        now: The population, at step 0 or restored.
        kept: What members have kept so far; changed in place.
        flat_state: The population and what is kept as a state.
        is_resumed: Whether the step that `now` is at has been measured already.
    """
    for step in run.measured_steps():
        if now.step < step or (step == 0 and not is_resumed):
            if now.diverged.all():
                break
            now, metrics = run.advance(now, step)
            yield Measurement(
                step=step,
                epoch=run.epoch(step),
                metrics=metrics,
                diverged=now.diverged.copy(),
                state=partial(flat_state, now, kept),
                keep=partial(_keep, flat_state, now, kept),
            )
    return now


def _keep(flat_state: Callable[[P, Kept], dict[str, np.ndarray]], now: P, kept: Kept, mask: np.ndarray) -> None:
    """Let the models of some members have the parameters as they are now."""
    keep(flat_state(now, {}), kept, mask)
