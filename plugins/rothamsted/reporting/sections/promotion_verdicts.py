"""Write the section on promotion: each verdict on the sweep's winners, with its reasons and numbers.

Verdicts are shown as recorded; nothing is computed again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from rothamsted.analysis.values import Promotion
from rothamsted.reporting.parts import Heading, Part, facts, paragraphs
from rothamsted.wording import GAP, count, estimate, joined, level_percent, number, probability

FEW = 12  # seeds that are written out


def promotions(verdicts: Sequence[Promotion]) -> tuple[Part, ...]:
    """Return the verdicts in the order in which they are given; nothing if there is none."""
    if not verdicts:
        return ()
    several = f"{len(verdicts)} verdicts are on record, the newest first. " if len(verdicts) > 1 else ""
    intro = f"{several}A verdict is shown as it was decided. The registry says which version is champion now."
    return (*paragraphs(intro), *(part for one in verdicts for part in _verdict(one)))


def anchor(one: Promotion) -> str:
    """Return the anchor of a verdict on the page; it is the same in every report."""
    return f"verdict-{one.model}-{one.version}-{one.number}"


def _verdict(one: Promotion) -> tuple[Part, ...]:
    against = f"against version {one.champion_version}" if one.champion_version else "nothing compared"
    title = f"{one.model}, version {one.version}: {one.decision} ({against})"
    items = (
        ("Judged", datetime.fromtimestamp(one.at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")),
        ("Challenger", f"version {one.version} ({one.challenger})"),
        ("Champion", f"version {one.champion_version} ({one.champion})" if one.champion_version else "none"),
        (f"Difference in {one.metric}", _difference(one)),
        ("p-value", _p_value(one)),
        ("Test", one.test or "none: nothing was compared"),
        ("Level", level_percent(one.level)),
        _threshold(one),
        ("Replicates", _replicates(one)),
        ("Shared seeds", _seeds(one)),
        *((f"Constraint {text}", _constraint(is_met, reason)) for text, is_met, reason in one.constraints),
        ("Data digest", one.data_digest or "none: the study has no data of its own"),
        ("Policy", one.policy_file or "its file is not on record"),
    )
    return (Heading(name=anchor(one), title=title), *paragraphs(" ".join(one.reasons)), *facts("The verdict.", items))


def _difference(one: Promotion) -> str:
    """Challenger minus champion with its interval; a limit that excludes nothing is infinite."""
    found = one.difference
    if found is None:
        return "none: too few replicates" if one.test else "none: nothing was compared"
    shown = str(estimate(found.estimate, found.low, found.high))
    if "[" not in shown:
        shown = f"{shown} [{_limit(found.low)}, {_limit(found.high)}]"
    level = level_percent(round(found.level, 6))
    return f"{shown} (challenger minus champion, {level} interval)"


def _limit(value: float) -> str:
    return number(value, 6) if math.isfinite(value) else "∞" if value > 0 else "−∞"


def _p_value(one: Promotion) -> str:
    if not math.isfinite(one.p_value):
        return "none: nothing was tested"
    return f"{probability(one.p_value, 1 - one.level)} (one-sided)"


def _threshold(one: Promotion) -> tuple[str, str]:
    if one.margin is not None:
        return "Margin", f"{number(one.margin)} (non-inferiority: worse by less is good enough)"
    return "Smallest improvement", f"{number(one.smallest_improvement)} (better by no more is not better)"


def _replicates(one: Promotion) -> str:
    if not one.champion_version:
        return f"{one.n} of the challenger"
    return count(one.n, "pair") if one.is_paired else f"{one.n} or more of each, not paired"


def _seeds(one: Promotion) -> str:
    if not one.seeds:
        return "none"
    listed = joined(map(str, one.seeds)) if len(one.seeds) <= FEW else f"{one.seeds[0]} to {one.seeds[-1]}"
    return f"{len(one.seeds)}:{GAP}{listed}"


def _constraint(is_met: bool, reason: str) -> str:
    return f"{'met' if is_met else 'not met'}: {reason}"
