"""A phase of a sweep: a pure function from the data so far to the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rothamsted.analysis.values import Dataset


@dataclass(frozen=True, kw_only=True)
class Confirming:
    """One replicate of a condition on a fresh seed, to be added to the queue of the confirmation."""

    trial: int  # number of the condition's trial in the search
    condition: Mapping[str, Any]
    replicate: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is to be done next; applied in one transaction by the holder of the sweep's lease.

    Attributes:
        ask: how many conditions there shall be: a design's are added, an adaptive sampler may be asked up to it.
        add: replicates for the queue of the confirmation.
        extend: number of an ended trial of the search -> attributes to set; it is put back with more to do.
        note: attributes to set on the search.
    """

    ask: int = 0
    add: Sequence[Confirming] = ()
    extend: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)


class Phase(Protocol):
    """One phase. It stores nothing: asked again after a crash, by another process, it says the same."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def next(self, data: Dataset) -> Step | None:
        """What to do now that nothing waits and nothing runs; None: the phase is over."""
        ...
