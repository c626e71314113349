"""Define a phase of a sweep: a pure function from the data so far to the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rothamsted.analysis.values import Dataset


@dataclass(frozen=True, kw_only=True)
class Confirming:
    """Describes one replicate of a condition on a fresh seed, for the queue of the confirmation."""

    trial: int  # number of the condition's trial in the search
    condition: Mapping[str, Any]
    replicate: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """Describes what is done next. The holder of the sweep's lease applies it in one transaction.

    Attributes:
        ask: number of conditions: those of a design are added; an adaptive sampler may be asked up to it.
        add: replicates to add to the queue of the confirmation.
        extend: number of an ended trial of the search -> attributes to set; the trial is put back with more to do.
        note: attributes to set on the search.
    """

    ask: int = 0
    add: Sequence[Confirming] = ()
    extend: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)


class Phase(Protocol):
    """Describes one phase. It stores nothing: after a crash another process gets the same step."""

    @property
    def name(self) -> str:
        """Give its name in messages."""
        ...

    def next(self, data: Dataset) -> Step | None:
        """Return the next step when nothing waits and nothing runs; None: the phase is over."""
        ...
