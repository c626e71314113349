"""Write the replicates of one population as TensorBoard files, if a sweep asks for them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rothamsted.records import Measured
from rothamsted.studies import Contents, flatten
from rothamsted.studies.tensorboard import FOLDER, EventFile
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.worker.population_judge import Member


@dataclass(kw_only=True)
class EventFiles:
    """Writes one set of files for each member; none if the sweep asks for none."""

    context: Opened
    members: Sequence[Member]
    _open: dict[int, EventFile] = field(default_factory=dict)  # by member

    def log(self, member: int, measured: Measured) -> None:
        """Pass a measurement on."""
        if self.context.sweep.execution.tensorboard:
            self._of(member).log(measured)

    def show(self, member: int, measured: Measured, contents: Contents) -> None:
        """Pass pictures on."""
        if self.context.sweep.execution.tensorboard:
            self._of(member).show(measured, contents)

    def close(self) -> None:
        """Write everything to the disk."""
        for mirror in self._open.values():
            mirror.close()

    def _of(self, member: int) -> EventFile:
        """A folder a run: a replicate that is tried again has another run, one that goes on has the same."""
        if member not in self._open:
            trial, replicate = self.members[member]
            name = f"{trial.assignment.name} replicate {replicate.replicate} {replicate.run_id[-12:]}"
            folder = self.context.home / FOLDER / self.context.sweep.name / name
            self._open[member] = EventFile(folder, flatten(replicate.config), started_seconds=time.time())
        return self._open[member]
