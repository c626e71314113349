"""Say what a race means for the numbers of its conditions: its error rate, and which intervals it spoils.

The figures are simulated, see Racing and stopping in docs/statistics.md."""

from __future__ import annotations

from collections.abc import Sequence

from rothamsted.analysis.values import Condition
from rothamsted.wording import percent

NARROW = "narrow after "  # how the fate of a condition begins that stopped with a narrow interval


def race_mark(conditions: Sequence[Condition], *, level: float) -> str:
    """Say how many conditions a race ended early, how often it errs, and how far their intervals can be trusted.

    Args:
        conditions: Conditions of the sweep.
        level: Level of the sweep's statistics: 1 - level is the race's error rate.

    Returns:
        The sentences; empty for a sweep without a race, or if the race ended none early.
    """
    n_raced = sum(bool(c.race) for c in conditions)
    n_dropped = sum(c.dropped_after > 0 for c in conditions)
    n_narrow = sum(c.race.startswith(NARROW) for c in conditions)
    parts = []
    if n_dropped:
        parts.append(
            f"The race dropped {n_dropped} of {n_raced} conditions early. A dropped condition has fewer replicates, "
            "ranks last, looks worse than it is, and its interval is too narrow. The truly best condition is among the "
            f"other {n_raced - n_dropped} with a probability of at least {percent(level)} (less if a few seeds fail)."
        )
    if n_narrow:
        parts.append(
            f"{n_narrow} of {n_raced} conditions stopped because the interval was narrow (narrower_than). Such an "
            "interval covers the mean less often than its level says; the note of the condition in MLflow has one that "
            "is corrected for this."
        )
    return " ".join(parts)


def race_note(race: str) -> str:
    """Say what is wrong with the interval of a condition after a race; empty if nothing is.

    Args:
        race: Result of the race: "dropped after 5", "narrow after 7", "survived".
    """
    if race.startswith("dropped after "):
        return f"{_fate(race)} in the race because it looked worse: its interval is too narrow, its mean too bad"
    if race.startswith(NARROW):
        when = _fate(race).removeprefix("narrow ")
        return (
            f"stopped {when} because its interval was narrow: such an interval is too narrow, because its width "
            "decided when to stop"
        )
    return ""


def _fate(race: str) -> str:
    """ "dropped after 5 replicates": the part before a reason."""
    return f"{race.partition(':')[0].strip()} replicates"
