"""Runs a sweep with all its stages, one after the other; a sweep without stages is its own only one.

Apart from the coordinator, which runs one of them. What is done after each (analysis, report) is the caller's. What a
stage hands on is decided once and kept in its search: from then on nothing of it is run or written again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from rothamsted import tags, tracking
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.values import Condition, Dataset
from rothamsted.spec import Sweep
from rothamsted.study import Study
from rothamsted.sweep.coordinator.coordinator import Sitting, run_sweep
from rothamsted.sweep.foreign_study import ForeignStudy
from rothamsted.sweep.open.start import reopen_passed
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.stage import EarlierStage, LaterStage, keeps_states, stage_name
from rothamsted.sweep.stages import kept_of, later_stage, remove_states


def run_stages(
    sweep: Sweep,
    study: Study | ForeignStudy,
    *,
    root: Path,
    source: str,
    question: str,
    console: Console,
    after: Callable[[Sitting], None],
) -> Sitting:
    """Run every stage to its end, or until one is stopped; returns how the last one that ran ended.

    Args:
        sweep: with its stages.
        study: what it trains.
        root: the MLflow project's root.
        source: the path of the sweep file, for the record.
        question: the sweep file's opening comment.
        console: where progress and results are shown.
        after: called after each stage that ended with exit status 0.
    """
    staged = _Staged(sweep=sweep, study=study, root=root, console=console)
    until = time.time() + sweep.timeout if sweep.timeout else None  # of all stages together
    where: dict[str, Any] = {"root": root, "source": source, "console": console, "until": until}
    stage, link, words = sweep, None, question
    for index in range(max(len(sweep.stages), 1)):
        is_last = index + 1 >= len(sweep.stages)
        context = None if is_last else reopen_passed(stage, study, root=root, stage=link)
        if context is None:
            staged.announce(index, stage)
            sitting = run_sweep(stage, study, question=words, stage=link, **where)
            if sitting.is_complete and link is not None:
                remove_states(root, link.earlier)
            if not sitting.exit_status:
                after(sitting)
            if is_last or sitting.exit_status or not sitting.is_complete or not staged.goes_on(index, sitting, until):
                return sitting
            context = sitting.context
        kept = staged.decide(index, context)
        of_run_id = context.sweep_run_id if link is None else link.of_run_id
        stage, link = staged.next(index + 1, context, kept, of_run_id)
        n = len(kept)
        words = f"Stage {index + 2} of sweep {sweep.name}, the best {n} conditions of the stage before. {question}"
    raise RuntimeError(f"sweep {sweep.name}: its last stage was passed over")  # a last stage is never reopened as such


@dataclass(frozen=True, kw_only=True)
class _Staged:
    """What the steps from one stage to the next have in common."""

    sweep: Sweep
    study: Study | ForeignStudy
    root: Path
    console: Console

    def announce(self, index: int, stage: Sweep) -> None:
        """Say which stage is run now."""
        if self.sweep.stages:
            self.console.print(
                f"stage {index + 1} of {len(self.sweep.stages)}: sweep {stage.name}", highlight=False, soft_wrap=True
            )

    def goes_on(self, index: int, sitting: Sitting, until: float | None) -> bool:
        """Whether the stage after a finished one can begin; if not, why is said."""
        stage, after = index + 1, index + 2
        if not kept_of(self.sweep, after - 1, _found(sitting.context)):
            self.console.print(f"no condition of stage {stage} has a score, so there is no stage {after}")
            return False
        if until is not None and time.time() >= until:
            self.console.print(f"time is up before stage {after}: give the same command again to go on", soft_wrap=True)
            return False
        return True

    def decide(self, index: int, context: SweepContext) -> Sequence[Condition]:
        """What goes on from a finished stage: decided once, whatever becomes of its results later."""
        found = _found(context)
        decided = context.queue.attribute(tags.NEXT_STAGE)
        if decided is not None:
            by_number = {condition.number: condition for condition in found.conditions}
            kept = [by_number[number] for number in decided["trials"]]
            self.console.print(
                f"stage {index + 1} of {len(self.sweep.stages)}: sweep {context.sweep.name} is finished; its best "
                f"{len(kept)} go on",
                highlight=False,
                soft_wrap=True,
            )
            context.recorder.close()
            return kept
        kept, name = kept_of(self.sweep, index + 1, found), stage_name(self.sweep, index + 1)
        with tracking.open_recorder(context.tracking_uri) as recorder:
            recorder.log(context.sweep_run_id, tags={tags.NEXT_SWEEP: name})
        context.queue.set_attribute(tags.NEXT_STAGE, {"name": name, "trials": [condition.number for condition in kept]})
        return kept

    def next(
        self, index: int, before: SweepContext, kept: Sequence[Condition], of_run_id: str
    ) -> tuple[Sweep, LaterStage]:
        """A stage, by its position, as a sweep, and what links it to the one before."""
        earlier = EarlierStage(
            sweep=before.sweep,
            run_id=before.sweep_run_id,
            trials=[condition.number for condition in kept],
            left_states=before.keeps_states,
        )
        remove_states(self.root, earlier, but_kept=True)
        link = LaterStage(
            of_run_id=of_run_id, earlier=earlier, keeps_states=keeps_states(self.sweep, index, self.study)
        )
        return later_stage(self.sweep, index, kept), link


def _found(context: SweepContext) -> Dataset:
    return read_search(context.queue, context.sweep)
