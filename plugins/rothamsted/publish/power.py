"""How many replicates a difference takes, said from the spread of an earlier sweep.

Apart from the statistics, which take a standard deviation: here it is taken from runs, and put into words.
"""

from __future__ import annotations

import numpy as np

from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.ranking import by_seed, is_paired, near_best, ranked
from rothamsted.analysis.values import Dataset
from rothamsted.errors import UserError
from rothamsted.statistics import Pooled, detectable_difference, pooled_sd, replicates_needed, sd_of_paired_differences


def power_text(dataset: Dataset, difference: float, settings: Settings) -> str:
    """The plan in words: replicates a condition, from the mean and from the cautious estimate of the spread.

    Raises:
        UserError: The difference is zero, or the runs do not show any spread.
    """
    if difference == 0:
        raise UserError(
            "rothamsted power: difference=0 takes infinitely many replicates; give the smallest that matters"
        )
    ranking = ranked(dataset)
    best = analyze(dataset, settings).best
    numbers = near_best(ranking, best.members if best else ())
    values, _ = by_seed(dataset, numbers)
    pooled = pooled_sd(values) if len(numbers) else None
    if pooled is None or not np.isfinite(pooled.sd) or pooled.sd <= 0:
        raise UserError(
            f"rothamsted power: {dataset.name} shows no spread of {dataset.objective.metric} within a condition; "
            "it takes two or more replicates that differ"
        )
    how = f"{100 * settings.power:g} % power, level {settings.level:g}, two-sided"
    lines = [
        f"To see a difference of {abs(difference):g} in {dataset.objective.metric} ({how}), from the spread in "
        f"{dataset.name} (the {len(numbers)} best of {len(ranking)} conditions, {pooled.df} degrees of freedom):",
        "",
    ]
    unpaired = replicates_needed(
        pooled.sd, difference, power=settings.power, level=settings.level, is_paired=False, sd_df=pooled.df
    )
    n_now = int(np.median(np.isfinite(values).sum(axis=1)))
    differences = _of_pairs(dataset, numbers, values)
    if differences is not None:
        paired = replicates_needed(
            pooled.sd,
            difference,
            power=settings.power,
            level=settings.level,
            is_paired=True,
            sd_of_differences=differences.sd,
            sd_df=differences.df,
        )
        lines.append(
            f"  with common seeds (paired t): {paired.n} replicates a condition; {paired.n_cautious} to be "
            f"{100 * paired.sd_level:g} % sure of the spread (sd of differences {differences.sd:.4g})"
        )
    lines.append(
        f"  with fresh seeds (two-sample t): {unpaired.n} replicates a condition; {unpaired.n_cautious} to be "
        f"{100 * unpaired.sd_level:g} % sure of the spread (sd {pooled.sd:.4g})"
    )
    if n_now >= 2:
        lines += ["", _detectable(dataset, numbers, values, n_now, settings)]
    return "\n".join(lines)


def _detectable(dataset: Dataset, numbers: list[int], values: np.ndarray, n: int, settings: Settings) -> str:
    pairs = _of_pairs(dataset, numbers, values)
    seen = detectable_difference(
        n,
        pooled_sd(values).sd,
        power=settings.power,
        level=settings.level,
        is_paired=pairs is not None,
        sd_of_differences=None if pairs is None else pairs.sd,
    )
    return f"With its {n} replicates a condition, {dataset.name} would have seen a difference of {seen:.4g}."


def _of_pairs(dataset: Dataset, numbers: list[int], values: np.ndarray) -> Pooled | None:
    """The spread of differences on common seeds; None where nothing is paired, or all differences are the same."""
    if len(numbers) < 2 or not is_paired(dataset, numbers):
        return None
    differences = sd_of_paired_differences(values)
    return differences if differences.sd > 0 else None
