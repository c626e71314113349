"""Say what a race means for the numbers of its conditions: its own error, and which intervals it spoils.

The figures are simulated, see docs/statistics.md, Racing and stopping."""

from __future__ import annotations

from collections.abc import Sequence

from rothamsted.analysis.values import Condition
from rothamsted.wording import percent

NARROW = "narrow after "  # how the fate of a condition begins that stopped with a narrow interval


def race_mark(conditions: Sequence[Condition], *, level: float) -> str:
    """Say how many conditions a race ended early, how often it errs, and what their intervals are worth.

    Args:
        conditions: Of the sweep.
        level: Of the sweep's statistics: 1 - level is the race's own error rate.

    Returns:
        Empty for a sweep without a race, and for one that ended none early.
    """
    n_raced = sum(bool(c.race) for c in conditions)
    n_dropped = sum(c.dropped_after > 0 for c in conditions)
    n_narrow = sum(c.race.startswith(NARROW) for c in conditions)
    parts = []
    if n_dropped:
        parts.append(
            f"The race dropped {n_dropped} of {n_raced} conditions early: they have fewer replicates, and rank last. "
            f"The truly best one is among the other {n_raced - n_dropped} with a probability of at least "
            f"{percent(level)}, if differences between conditions are about normal; where some seeds rarely fail it is "
            "less. Intervals of dropped conditions are too narrow and their means look worse than they are."
        )
    if n_narrow:
        parts.append(
            f"{n_narrow} of {n_raced} conditions stopped when their interval was narrow (narrower_than): it covers the "
            "mean less often than its level says; the interval that pays for the looks stands in the condition's note "
            "in MLflow."
        )
    return " ".join(parts)


def race_note(race: str) -> str:
    """Say what is wrong with the interval of a condition that left a race; empty where nothing is.

    Args:
        race: How it left the race: "dropped after 5", "narrow after 7", "survived".
    """
    if race.startswith("dropped after "):
        return f"{_fate(race)} in the race: interval too narrow, mean too bad, for it was dropped for looking worse"
    if race.startswith(NARROW):
        return f"stopped when {_fate(race)}: interval too narrow, for its width decided when to stop"
    return ""


def _fate(race: str) -> str:
    """ "dropped after 5 replicates": the part before a reason."""
    return f"{race.partition(':')[0].strip()} replicates"
