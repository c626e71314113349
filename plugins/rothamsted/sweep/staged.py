"""Runs a sweep with all its stages, one after the other; a sweep without stages is its own only one.

Apart from the coordinator, which runs one of them. What is done after each (analysis, report) is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from rothamsted import tags
from rothamsted.spec import Sweep
from rothamsted.study import Study
from rothamsted.sweep.foreign import ForeignStudy
from rothamsted.sweep.results import read_results
from rothamsted.sweep.run import Sitting, run_sweep
from rothamsted.sweep.stage_link import EarlierStage, keeps_states
from rothamsted.sweep.stages import later_stage, remove_states
from rothamsted.sweep.start import LaterStage


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
    where = {"root": root, "source": source, "console": console}
    sitting = run_sweep(sweep, study, question=question, **where)
    first_run_id = sitting.context.sweep_run_id
    for index in range(1, len(sweep.stages)):
        if sitting.exit_status or not sitting.is_complete:
            return sitting
        after(sitting)
        before = sitting.context
        stage, kept = later_stage(sweep, index, read_results(before.queue))
        before.queue.set_attribute(tags.NEXT_STAGE, stage.name)
        console.print(f"stage {index + 1} of {len(sweep.stages)}: {len(kept)} conditions, sweep {stage.name}")
        earlier = EarlierStage(sweep=before.sweep, run_id=before.sweep_run_id, trials=kept)
        link = LaterStage(of_run_id=first_run_id, earlier=earlier, keeps_states=keeps_states(sweep, index, study))
        words = (
            f"Stage {index + 1} of sweep {sweep.name}, the best {len(kept)} conditions of the stage before. {question}"
        )
        sitting = run_sweep(stage, study, question=words, stage=link, **where)
        if sitting.is_complete:
            remove_states(root, earlier)
    if not sitting.exit_status:
        after(sitting)
    return sitting
