"""Find replicates of a foreign project or a function that are copies: equal bits although their seeds differ.

Copies would count as evidence: three equal numbers have no spread, so every difference would seem certain.
"""

from __future__ import annotations

from itertools import pairwise

from rothamsted import tags
from rothamsted.analysis.told_replicates import replicates_of
from rothamsted.analysis.values import Replicate
from rothamsted.records import MetricPoint, Outcome
from rothamsted.studies import Study
from rothamsted.studies.repeated import TIMES
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.opened import Opened
from rothamsted.sweeping.worker.trial import TrialRun
from rothamsted.tracking import read_history


def may_be_copies(study: Study | ForeignStudy) -> bool:
    """Return whether the seed may have no effect. A study of the full contract promises that it has one."""
    return isinstance(study, ForeignStudy) or study.function is not None


def seed_without_effect(trial: TrialRun, replicate: int) -> str:
    """Say in a line, with the way out, that a sweep stops because the seed has no effect; empty: it goes on.

    All metrics except times must be equal at every step. If the replicates of one condition differ, the seed has an
    effect, and others may be equal for a good reason.

    Args:
        trial: a trial of a foreign project or a function, with the replicate that has just ended.
        replicate: that replicate.
    """
    finished = [one for one in trial.ended() if one.outcome == Outcome.FINISHED]
    own = next((one for one in finished if one.number == replicate), None)
    if own is None or any(_scores(one) != _scores(own) for one in finished):
        return ""
    twin = next((one for one in finished if one.seed != own.seed), None)
    if twin is None or _has_effect_elsewhere(trial.context):
        return ""
    trial.context.recorder.flush()
    curves = read_history([own.run_id, twin.run_id], uri=trial.context.tracking_uri)
    wanted = {objective.metric for objective in trial.context.sweep.objectives}
    if _bits(curves[own.run_id], wanted) != _bits(curves[twin.run_id], wanted):
        return ""
    return _said(trial, twin, own)


def _said(trial: TrialRun, twin: Replicate, own: Replicate) -> str:
    sweep = trial.context.sweep
    if not sweep.is_foreign:
        return (
            f"sweep {sweep.name}: condition {trial.assignment.of}: seeds {twin.seed} and {own.seed} gave the same bits "
            f"in all metrics: nothing in study {trial.context.study.name} depends on its seed, and copies are no "
            "evidence; pass seed to what is random, default_rng(seed) or random_state=seed, "
            "or give replicates: {count: 1} if nothing is"
        )
    named = ", ".join(map(repr, sweep.varied))
    given = "it as parameter" if len(sweep.varied) == 1 else "them as parameters"
    way = (
        f"the program is given {given} {named}: let its code use {given.split()[0]}"
        if named
        else "name the parameter of its entry point that takes it, as in seed_parameter: seed, and let its code use it"
    )
    reached = f"project {sweep.project}" if sweep.project is not None else "the command's program"
    return (
        f"sweep {sweep.name}: condition {trial.assignment.of}: seeds {twin.seed} and {own.seed} gave the same bits in "
        f"all metrics: the seed does not reach {reached}, and copies are no evidence; {way}; "
        "or give replicates: {count: 1} if its result does not depend on a seed"
    )


def _scores(one: Replicate) -> tuple[float, ...]:
    return (one.objective, *one.others)


def _has_effect_elsewhere(context: Opened) -> bool:
    """Whether replicates of some condition that has ended differ."""
    for told in context.queue.trials([tags.RESULT]):
        scores = [one.objective for one in replicates_of(told, context.sweep) if one.outcome == Outcome.FINISHED]
        if any(one != other for one, other in pairwise(scores)):
            return True
    return False


def _bits(points: list[MetricPoint], wanted: set[str]) -> list[tuple[str, int, str]]:
    """The curves without their times of day, and without metrics that are times."""
    kept = [point for point in points if point.key in wanted or not TIMES.search(point.key)]
    return sorted((point.key, point.step, repr(point.value)) for point in kept)
