"""Write the marks of a dataset: what a reader must know before any number.

They count what the analysis leaves out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from rothamsted.analysis.left_out import left_out_words, over_words
from rothamsted.analysis.values import Dataset, Replicate
from rothamsted.metric import declared
from rothamsted.wording import joined, plain_count, verb


def marks_of(dataset: Dataset, members: Mapping[int, Sequence[Replicate]], ranking: Sequence[int]) -> list[str]:
    """Return sentences on unequal, diverged, pruned, excluded and infeasible conditions."""
    marks = []
    counts = {len([r for r in members[number] if r.outcome == "finished"]) for number in ranking}
    if len(counts) > 1:
        marks.append(f"Conditions have {min(counts)} to {max(counts)} replicates, so their intervals differ in width.")
    twice = [n for n, rs in members.items() if any(c > 1 for s, c in Counter(r.seed for r in rs).items() if s)]
    if twice:
        marks.append(
            f"Condition {twice[0]} has one seed twice: nothing is compared seed by seed, and no mean is adjusted for "
            "missing seeds."
        )
    diverged = [number for number, rs in members.items() if any(r.outcome == "diverged" for r in rs)]
    if diverged:
        words = "has diverged replicates and is", "have diverged replicates and are"
        marks.append(_not_ranked(len(diverged), len(members), *words))
    n_pruned = sum(bool(condition.pruned) for condition in dataset.conditions)
    if n_pruned:
        words = "was pruned (stopped before the end) and is", "were pruned (stopped before the end) and are"
        marks.append(_not_ranked(n_pruned, len(members), *words))
    marks += _constraint_marks(dataset)
    marks += _range_marks(dataset)
    n_early = sum(bool(r.stopped_early) for r in dataset.replicates)
    if n_early:
        they = verb(n_early, "it", "they")
        marks.append(
            f"{plain_count(n_early, 'replicate')} stopped early because {they} no longer improved. Such a score "
            "counts; the curve is shorter."
        )
    excluded = sum(not np.isfinite(r.objective) for r in dataset.replicates if r.outcome == "finished")
    if excluded:
        finished, has = plain_count(excluded, "finished replicate"), verb(excluded, "has", "have")
        marks.append(
            f"{finished} {has} no finite {dataset.objective.metric} and {verb(excluded, 'is', 'are')} left out."
        )
    if ranking and (left := left_out_words(dataset, ranking)):
        marks.append(f"Effects and comparisons are over {over_words(dataset, ranking)}; left out: {left}.")
    if dataset.looked_by:
        marks.append(
            f"Results decided which trials were run ({joined(dataset.looked_by)}): the report says which statements "
            "still hold."
        )
    if not ranking and dataset.kind != "contest":
        marks.append(no_score(dataset, members))
    return marks


def _constraint_marks(dataset: Dataset) -> list[str]:
    """How many conditions break each constraint."""
    n_broken = Counter(text for condition in dataset.conditions for text, _ in condition.broken)
    total = len(dataset.conditions)
    return [
        _not_ranked(n, total, f"breaks the constraint {text} and is", f"break the constraint {text} and are")
        for text, n in n_broken.items()
    ]


def _not_ranked(n: int, total: int, one: str, several: str) -> str:
    """Say how many conditions are not ranked, and why."""
    return f"{n} of {total} conditions {verb(n, one, several)} not ranked."


def _range_marks(dataset: Dataset) -> list[str]:
    """Which metrics have final values outside the range that the study declares for them."""
    outside: Counter[str] = Counter()
    finished = [r for r in dataset.replicates if r.outcome == "finished"]
    for r in finished:
        objectives = zip((dataset.objective, *dataset.others), (r.objective, *r.others))
        values = {**r.metrics, **{one.metric: value for one, value in objectives}}
        outside.update(
            name
            for name, value in values.items()
            if math.isfinite(value) and not declared(dataset.metrics, name).holds(value)
        )
    return [
        f"{name} lies outside its declared range, {declared(dataset.metrics, name).range_words}, in {n} of "
        f"{len(finished)} finished replicates, so its intervals may leave the range, too."
        for name, n in outside.items()
    ]


def no_score(dataset: Dataset, members: Mapping[int, Sequence[Replicate]]) -> str:
    """Say why there is no best condition."""
    if any(
        condition.broken and any(r.outcome == "finished" for r in members[condition.number])
        for condition in dataset.conditions
    ):
        return "No condition keeps every constraint, so there is no best one."
    reasons = Counter(r.reason for of_one in members.values() for r in of_one if r.outcome == "failed" and r.reason)
    if not reasons:
        return "No condition has a score."
    (reason, n), n_failed = reasons.most_common(1)[0], reasons.total()
    each = ", each" if n_failed > 1 else ""
    of = f"{n} of {n_failed} failed replicates" if n < n_failed else plain_count(n, "failed replicate") + each
    return f"No condition has a score. {of}: {reason}"
