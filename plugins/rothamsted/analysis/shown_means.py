"""Add to a summary the mean that its condition is ranked by, if that is not the mean of its own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rothamsted.analysis.ranking import MeanOfCondition
from rothamsted.analysis.values import ConditionSummary


def with_adjusted(
    summary: ConditionSummary, means: Mapping[int, Sequence[MeanOfCondition]], index: int
) -> ConditionSummary:
    """Return a summary with the mean that its condition is ranked by, for one objective, and a note if it differs."""
    if summary.condition not in means:
        return summary
    mean = means[summary.condition][index]
    own = replace(summary, adjusted=mean.adjusted, n_missing=mean.n_missing)
    if mean.is_alone:
        alone = "shares no seed with most conditions: its mean is not adjusted to theirs"
        own = replace(own, note="; ".join(part for part in (own.note, alone) if part))
    if not mean.n_missing:
        return own
    seeds = f"{mean.n_missing} seed{'s' * (mean.n_missing != 1)}"
    said = (
        f"lacks {seeds}: it is ranked by its mean adjusted for that, {mean.adjusted:.6g}; the mean and interval shown "
        "are of its own values"
    )
    return replace(own, note="; ".join(part for part in (own.note, said) if part))
