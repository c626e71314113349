"""Say from which other sweep fixed parameters come, for plan, design, tag and report."""

from __future__ import annotations

from rothamsted.spec import Sweep
from rothamsted.wording import setting

MOST_LABELS = 5  # conditions that could not be ruled out, by name


def parent_words(sweep: Sweep) -> str:
    """Return words such as 'depth 2, the confirmed winner of sweep depths, run 0199…'; empty if nothing was taken."""
    taken = sweep.parameters_from
    if taken is None or taken.values is None:
        return ""
    which = "the confirmed winner" if taken.take == "confirmed" else "the best of the search"
    values = ", ".join(f"{name} {setting(value)}" for name, value in taken.values.items())
    run = f", run {taken.run_id}" if taken.run_id is not None else ""
    return f"{values or 'nothing'}, {which} of sweep {taken.sweep}{run}"


def parent_marks(sweep: Sweep) -> list[str]:
    """Return what the other sweep could not rule out; every number here assumes its winner."""
    taken = sweep.parameters_from
    if taken is None or not taken.open_against:
        return []
    n = len(taken.open_against)
    shown = "; ".join(taken.open_against[:MOST_LABELS]) + (f" and {n - MOST_LABELS} more" if n > MOST_LABELS else "")
    return [
        f"Parameters were taken from sweep {taken.sweep}. It could not rule out that another condition is the best: "
        f"{shown}. This sweep cannot tell these apart."
    ]
