"""Define one measurement of every member of a population, as a study's training yields it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Artifacts = Sequence[Mapping[str, str | bytes]]  # of each member: name of a file -> what it holds


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Holds one measurement; the study's `train` says which metrics there are.

    Its functions must be called before the next measurement is asked for.
    """

    step: int
    epoch: float | None  # passes over the data; None where data are drawn afresh
    metrics: dict[str, np.ndarray]  # name -> (member,)
    diverged: np.ndarray  # (member,) bool: a training loss or a parameter was NaN or infinite
    state: Callable[[], dict[str, np.ndarray]]
    keep: Callable[[np.ndarray], None]  # a model gets the weights of the step at which this was called last
    artifacts: Callable[[], Artifacts] | None = None
