"""Name the conditions that an average, an effect or a comparison leaves out, each with why."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Condition, Dataset, Replicate
from rothamsted.wording import joined

MOST_NAMED = 8  # conditions of one reason, by number
REASONS = {
    "pruned": ("that was pruned", "that were pruned"),
    "diverged": ("in which a replicate diverged",) * 2,
    "without": ("without a score",) * 2,
    "broken": ("that breaks a constraint", "that break a constraint"),
    "not finite": ("without a finite value",) * 2,
}  # by the first rule that takes a condition out -> said of one, of several


def left_out(dataset: Dataset, shown: Collection[int]) -> dict[str, list[int]]:
    """Return the conditions that are not shown: reason (a name of REASONS) -> numbers."""
    members, kept = members_of(dataset), set(shown)
    found: dict[str, list[int]] = {}
    for condition in dataset.conditions:
        if condition.number not in kept:
            found.setdefault(_why(condition, members[condition.number]), []).append(condition.number)
    return {why: found[why] for why in REASONS if why in found}


def left_out_words(dataset: Dataset, shown: Collection[int]) -> str:
    """Say what is left out: "2 in which a replicate diverged (3 and 7) and 1 that was pruned (12)"; empty: nothing."""
    return joined(
        f"{len(numbers)} {REASONS[why][len(numbers) > 1]} ({_numbers(numbers)})"
        for why, numbers in left_out(dataset, shown).items()
    )


def over_words(dataset: Dataset, shown: Collection[int]) -> str:
    """Say how many conditions count: "all 16 conditions", "13 of 16 conditions"."""
    total, kept = len(dataset.conditions), set(shown)
    n = sum(condition.number in kept for condition in dataset.conditions)
    return f"all {total} conditions" if n == total else f"{n} of {total} conditions"


def _why(condition: Condition, replicates: list[Replicate]) -> str:
    if condition.pruned:
        return "pruned"
    if any(r.outcome == "diverged" for r in replicates):
        return "diverged"
    finished = [r for r in replicates if r.outcome == "finished"]
    if not any(np.isfinite(r.objective) for r in finished):
        return "without"
    return "broken" if condition.broken else "not finite"


def _numbers(numbers: list[int]) -> str:
    rest = len(numbers) - MOST_NAMED
    return joined([*map(str, numbers[:MOST_NAMED]), *([f"{rest} more"] if rest > 0 else [])])
