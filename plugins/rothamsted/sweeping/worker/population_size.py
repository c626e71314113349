"""Choose how many replicates are trained in one compiled call, and which of them together.

A number in the file is the most. `auto` begins with one, and doubles as long as a replicate then takes less time and
twice the memory is free. A size that does not fit is halved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rothamsted.studies import Study, population_key
from rothamsted.studies.device_memory import DeviceMemory, device_memory
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.worker.trial import TrialRun

SHARE = 0.8  # of the memory: what a compiler takes for a moment is not measured
WORTH = 0.9  # of the time of a replicate: less than this gain is noise


@dataclass(kw_only=True)
class PopulationSize:
    """Chooses the size of the next population of one worker.

    Attributes:
        wanted: what the file says.
        memory: function that is called when a population has ended.
        size: greatest size of the next population.
    """

    wanted: int | Literal["auto"]
    memory: Callable[[], DeviceMemory] = device_memory
    size: int = field(init=False)
    _is_settled: bool = field(init=False)
    _seconds: float | None = None  # of one replicate in the last population

    def __post_init__(self) -> None:
        self.size = 1 if self.wanted == "auto" else self.wanted
        self._is_settled = self.wanted != "auto"

    def trained(self, n_members: int, seconds: float) -> None:
        """Choose the size of the next population after one has been trained in `seconds`."""
        if self._is_settled or n_members < self.size:
            return
        each = seconds / n_members
        if self._seconds is not None and each > WORTH * self._seconds:
            self.size, self._is_settled = self.size // 2, True
            return
        self._seconds, memory = each, self.memory()
        if 2 * memory.peak > SHARE * memory.total:
            self._is_settled = True
        else:
            self.size *= 2

    def does_not_fit(self, n_members: int) -> None:
        """Note that `n_members` ran out of memory."""
        self.size, self._is_settled = (n_members + 1) // 2, True


def populations(
    context: Opened, members: Sequence[tuple[TrialRun, int]], size: PopulationSize
) -> Iterator[list[tuple[TrialRun, int]]]:
    """Yield groups of members, replicates of trials, that one compiled call can train. The size is read before each."""
    groups: dict[object, list[tuple[TrialRun, int]]] = {}
    for trial, replicate in members:
        config = context.config_of(trial.lease.condition, trial.assignment.seeds[replicate])
        study = context.study
        key = population_key(study, config) if isinstance(study, Study) else len(groups)  # a process each
        groups.setdefault(key, []).append((trial, replicate))
    for group in groups.values():
        left = group
        while left:
            n = size.size
            yield left[:n]
            left = left[n:]
