"""Say how many seeds a difference takes, from the spread of an earlier sweep."""

from __future__ import annotations

import numpy as np

from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.ranking import by_seed, is_paired, near_best, ranked
from rothamsted.analysis.values import Dataset
from rothamsted.analysis.verdicts import MOST_SIMULATED, own_spread
from rothamsted.errors import UserError
from rothamsted.statistics.best_power import MOST_SEEDS, seeds_to_show
from rothamsted.statistics.centres import MEAN, words_of
from rothamsted.statistics.spread import DEFAULT_SD_LEVEL, upper_limit
from rothamsted.wording import number


def power_text(dataset: Dataset, difference: float, settings: Settings) -> str:
    """Return the plan in words: the number of seeds with which a condition worse by `difference` is called worse.

    Raises:
        UserError: The difference is zero, or the runs do not show any spread.
    """
    if difference == 0:
        raise UserError(
            "rothamsted power: difference=0 needs infinitely many seeds; give the smallest difference that matters"
        )
    if dataset.objective.over != MEAN:
        raise UserError(
            f"rothamsted power: plans are for means, and {dataset.name} uses the {words_of(dataset.objective.over)} "
            "over seeds; give over_seeds=mean, or see in its report how many seeds would decide what is open"
        )
    if dataset.crossed:
        raise UserError(
            f"rothamsted power: replicates of {dataset.name} are crossed, and a plan is for independent ones; give a "
            f"sweep with replicates.vary: [{', '.join(dataset.crossed)}]"
        )
    found = analyze(dataset, settings)
    dataset = found.dataset  # over tasks, where there are any
    ranking = ranked(dataset)
    near = near_best(ranking, found.best.members if found.best else ())
    values, _ = by_seed(dataset, near)
    paired = len(near) > 1 and is_paired(dataset, near)
    spread = own_spread(values, is_paired=paired) if len(near) else None
    if spread is None or not np.isfinite(spread.sd) or spread.sd <= 0:
        raise UserError(
            f"rothamsted power: {dataset.name} shows no spread of {dataset.objective.metric} within a condition; "
            "it needs two or more replicates that differ"
        )
    n_conditions = min(max(len(ranking), 2), MOST_SIMULATED)

    def seeds(sd: float) -> str:
        needed = seeds_to_show(
            np.full(n_conditions, sd**2),
            abs(difference),
            rng=np.random.default_rng(0),
            power=settings.power,
            level=settings.level,
        )
        return f"more than {MOST_SEEDS}" if needed is None else str(needed)

    how = f"{100 * settings.power:g} % power, level {settings.level:g}, by simulation of the verdicts"
    shown = f"sd {number(spread.sd)} within a condition{', the seeds taken out' if paired else ''}"
    cautious = upper_limit(spread.sd, spread.df, level=DEFAULT_SD_LEVEL)
    lines = [
        f"To call a condition worse that loses {number(abs(difference))} in {dataset.objective.metric} to the best of "
        f"{n_conditions} ({how}), with the spread of the {len(near)} best conditions of {dataset.name} ({shown}, "
        f"{spread.df} degrees of freedom):",
        "",
        f"  {seeds(spread.sd)} seeds a condition{', the same in all' if paired else ''}; {seeds(cautious)} to be "
        f"{100 * DEFAULT_SD_LEVEL:g} % sure of the spread",
    ]
    seen = found.detectable
    if seen is not None:
        shown = number(seen.difference)
        lines += ["", f"With its {seen.n} seeds a condition, {dataset.name} would have shown a loss of {shown}."]
    return "\n".join(lines)
