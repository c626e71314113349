"""Run the stages of a sweep: decide once which conditions go on, and make the next stage as a separate sweep.

Each stage has its name (NAME, NAME.stage2 and so on), its run below the first one's, its Optuna study and its report. A
later stage gets its conditions, and the last states of their trainings. Confirmation and promotion are in the last
stage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rothamsted import tags
from rothamsted.analysis.no_effect import distinct
from rothamsted.analysis.ranking import adjusted_of, members_of, pareto_front, ranked, scores_of
from rothamsted.analysis.values import Condition, Dataset
from rothamsted.metric import declared
from rothamsted.spec import Sweep, from_resolved, resolved
from rothamsted.statistics import describe
from rothamsted.sweeping.checkpoint_folders import remove_checkpoints
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.stage import (
    EarlierStage,
    LaterStage,
    keeps_states,
    stage_name,
    stage_replicates,
    without_confirmation,
)


@dataclass(frozen=True, kw_only=True)
class StageToRun:
    """Describes one stage of a sweep. A sweep without stages is its own only stage.

    Attributes:
        index: its position, from 0.
        n_stages: number of stages.
        sweep: the stage as it is opened; the first with all that follow.
        link: its link to the stage before; None for the first.
        question: what it asks.
    """

    index: int
    n_stages: int
    sweep: Sweep
    link: LaterStage | None
    question: str

    @property
    def is_last(self) -> bool:
        """Say whether no stage follows."""
        return self.index + 1 >= self.n_stages


def first_of(sweep: Sweep, question: str) -> StageToRun:
    """Return the first stage of a sweep."""
    return StageToRun(index=0, n_stages=max(len(sweep.stages), 1), sweep=sweep, link=None, question=question)


def next_of(
    stage: StageToRun, whole: Sweep, opened: Opened, *, say: Callable[[str], None], question: str
) -> StageToRun | None:
    """Return the next stage after a finished search; None: no condition goes on.

    The conditions that go on are decided once and kept in the finished stage's search. Later retries change nothing.

    Args:
        stage: the finished stage.
        whole: the sweep with all its stages.
        opened: the finished stage, opened.
        say: function that gets the reason if nothing goes on.
        question: question of the whole sweep.
    """
    data, index = opened.data(), stage.index + 1
    kept = _decide(stage, whole, opened, data, say)
    if not kept:
        say(f"no condition of stage {index} has a score, so there is no stage {index + 1}")
        return None
    earlier = EarlierStage(
        sweep=opened.sweep,
        run_id=opened.sweep_run_id,
        trials=[condition.number for condition in kept],
        left_states=opened.keeps_states,
    )
    remove_checkpoints(opened.home, earlier.sweep, earlier.run_id, uri=opened.tracking_uri, but=earlier.trials)
    of_run_id = opened.sweep_run_id if stage.link is None else stage.link.of_run_id
    return StageToRun(
        index=index,
        n_stages=stage.n_stages,
        sweep=later_stage(whole, index, kept),
        link=LaterStage(of_run_id=of_run_id, earlier=earlier, keeps_states=keeps_states(whole, index, opened.study)),
        question=f"Stage {index + 1} of sweep {whole.name}, the best {len(kept)} conditions of the stage before. "
        f"{question}",
    )


def _decide(
    stage: StageToRun, whole: Sweep, opened: Opened, data: Dataset, say: Callable[[str], None]
) -> list[Condition]:
    """The conditions that go on, best first."""
    conditions = {condition.number: condition for condition in data.conditions}
    decided = opened.queue.attribute(tags.NEXT_STAGE)
    if decided is not None:
        say(
            f"stage {stage.index + 1} of {stage.n_stages}: sweep {opened.sweep.name} is finished; its best "
            f"{len(decided['trials'])} go on"
        )
        return [conditions[number] for number in decided["trials"]]
    then = whole.stages[stage.index + 1]
    kept = keep(data, then.keep or len(conditions), by=then.by, level=whole.statistics.level)
    if kept:
        name = stage_name(whole, stage.index + 1)
        opened.recorder.log(opened.sweep_run_id, tags={tags.NEXT_SWEEP: name})
        opened.recorder.flush()
        trials = [condition.number for condition in kept]
        opened.queue.set_attribute(tags.NEXT_STAGE, {"name": name, "trials": trials})
    return kept


def keep(found: Dataset, n_kept: int, *, by: str, level: float) -> list[Condition]:
    """Return the best conditions by their mean, or by the worse end of its interval; best first.

    The interval is shifted by the mean's adjustment for missing seeds. A condition without an interval (a single
    replicate) comes after all with one. Conditions that a race dropped always come last, and with several objectives
    the Pareto set comes first. Of conditions that gave the same bits only one is kept.
    """
    best, conditions = ranked(found), {one.number: one for one in found.conditions}
    if by == "interval":
        front, members, means = pareto_front(found, best), members_of(found), adjusted_of(found)
        metric, over = declared(found.metrics, found.objective.metric), found.objective.over
        is_lower_better = found.objective.direction == "minimize"
        sign = 1.0 if is_lower_better else -1.0

        def place(number: int) -> tuple[object, ...]:
            interval = describe(scores_of(members[number]), level=level, metric=metric, over=over).interval
            end = None if interval is None else interval.high if is_lower_better else -interval.low
            shift = means[number][0].adjusted - means[number][0].raw
            dropped = conditions[number].dropped_after
            return dropped > 0, -dropped, number not in front, end is None, (end or 0.0) + sign * shift

        best = sorted(best, key=place)
    return [conditions[number] for number in distinct(found, best)[:n_kept]]


def announcement(stage: StageToRun, *, is_passed: bool) -> str:
    """Say which stage comes now; empty for a sweep without stages, and for a finished stage."""
    if stage.n_stages < 2 or is_passed:
        return ""
    return f"stage {stage.index + 1} of {stage.n_stages}: sweep {stage.sweep.name}"


def is_late(following: StageToRun, until: float | None, say: Callable[[str], None]) -> bool:
    """Return whether the time of all stages is up before this one begins, and say so."""
    if until is None or time.time() < until:
        return False
    say(f"time is up before stage {following.index + 1}: give the same command again to go on")
    return True


def forget(opened: Opened) -> None:
    """Remove the states that the stage before left, when this one is complete."""
    earlier = opened.earlier_stage
    if earlier is not None:
        remove_checkpoints(opened.home, earlier.sweep, earlier.run_id, uri=opened.tracking_uri)


def later_stage(sweep: Sweep, index: int, kept: Sequence[Condition]) -> Sweep:
    """Return a later stage as a sweep over the conditions that are kept."""
    own = {
        "name": stage_name(sweep, index),
        "parameters": sweep.stage_parameters(index),
        "replicates": stage_replicates(sweep, index),
        "sampler": {"name": "random", "seed": sweep.sampler.seed},  # nothing is proposed: all is enqueued
        "enqueue": [dict(condition.values) for condition in kept],
        "trials": len(kept),
        "stages": [],
    }
    if sweep.confirm is not None:  # of fewer conditions where fewer have a score
        own["confirm"] = {"keep": min(sweep.confirm.keep, len(kept)), "seeds": list(sweep.confirm_seeds)}
    plain = {**resolved(sweep), **own}
    for key in ("pruner", "warm_start"):  # these are trained in full, and nothing is proposed
        plain.pop(key, None)
    return from_resolved(plain if index == len(sweep.stages) - 1 else without_confirmation(plain))
