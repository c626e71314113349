"""Write sentences on what an analysis shows, and only what its intervals support.

`sections.first_screen` has the opening of a report, `verdicts` the verdicts, `next_steps` what to do next.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from rothamsted.analysis.left_out import left_out_words, over_words
from rothamsted.analysis.values import Analysis, ConditionSummary, Confirmed, FactorEffects, Luck
from rothamsted.statistics import Interval
from rothamsted.wording import (
    GAP,
    SCALES,
    Estimate,
    count,
    digits_of,
    estimate,
    joined,
    level_percent,
    number,
    p_value,
    percent,
    setting,
    with_basis,
)

METHODS = SCALES | {
    "t": "Student's t",
    "percentile": "percentile bootstrap",
    "bca": "BCa bootstrap",
    "wilson": "Wilson",
}
LUCK_MEANING = "On average a search's estimate of its winner is optimistic, because the winner was chosen by it."
OTHER_SOURCES = {
    "residual": "is unexplained",
    "seed": "is due to the seed",
    "interaction": "is due to how factors act together",
}  # what a source of variance that is no factor begins with -> in words


def without_mean(analysis: Analysis) -> str:
    """Say how many conditions are not ranked, and why; empty if all are."""
    ranked = set(analysis.ranking)
    left = [one for one in analysis.objective if one.condition not in ranked]
    if not left:
        return ""
    kinds = Counter(_why_unranked(analysis, one) for one in left)
    n_diverged, n_without, n_others = kinds["diverged"], kinds["without"], kinds["other"]
    why = [
        *([f"{kinds['pruned']} {'was' if kinds['pruned'] == 1 else 'were'} pruned"] if kinds["pruned"] else []),
        *(
            [f"{kinds['broken']} {'breaks' if kinds['broken'] == 1 else 'break'} a constraint"]
            if kinds["broken"]
            else []
        ),
        *([f"in {n_diverged} a replicate diverged"] if n_diverged else []),
        *([f"in {n_without} no replicate has a score"] if n_without else []),
        *([f"{n_others} for the reason in its row"] if n_others else []),
    ]
    have = "has" if len(left) == 1 else "have"
    total = count(len(analysis.objective), "condition")
    return f"{len(left)} of {total} {have} no rank: {joined(why)}."


def _why_unranked(analysis: Analysis, one: ConditionSummary) -> str:
    """Why a condition has no place, by the first rule that takes it out."""
    condition = next((c for c in analysis.dataset.conditions if c.number == one.condition), None)
    if condition is not None and condition.pruned:
        return "pruned"
    if one.counts.get("diverged"):
        return "diverged"
    if one.n == 0:
        return "without"
    return "broken" if condition is not None and condition.broken else "other"


def pareto_words(analysis: Analysis) -> str:
    """Say which conditions no other beats in all objectives; empty with one objective."""
    if analysis.pareto is None:
        return ""
    metrics = joined(one.metric for one in (analysis.dataset.objective, *analysis.dataset.others))
    members, n_ranked = analysis.pareto.members, len(analysis.ranking)
    shown = [f"{number}" for number in members[:10]] + ([f"{len(members) - 10} more"] if len(members) > 10 else [])
    which = f"condition{GAP}{shown[0]} is" if len(members) == 1 else f"conditions {joined(shown)} are"
    of = f"All {count(n_ranked, 'ranked condition')} are"
    of = of if len(members) == n_ranked > 1 else f"Of {count(n_ranked, 'ranked condition')}, {which}"
    return (
        f"{of} in the Pareto set of {metrics}: no other condition is at "
        "least as good in all of them and better in one, by the means."
    )


def luck_words(confirmed: Confirmed) -> str:
    """Say the search's estimate of a condition, and how far that of fresh seeds is from it, with the interval."""
    luck = confirmed.luck
    if not math.isfinite(luck.estimate):
        return ""
    searched = f"of {count(luck.n_search, 'replicate')}, without an interval"
    head = f"was {with_interval(confirmed.search)}" if confirmed.search else searched
    shown = luck_estimate(luck, -1.0 if luck.estimate < 0 else 1.0)
    than = "worse" if luck.estimate < 0 else "better"
    if luck.estimate == 0:
        return f"The search's estimate {head}: the same as on fresh seeds ({luck_basis(luck)})."
    return f"The search's estimate {head}: {shown} {than} than on fresh seeds ({luck_basis(luck)})."


def luck_estimate(luck: Luck, sign: float = 1.0) -> Estimate:
    """Say how much better the search's estimate was than that of fresh seeds, with its interval, times `sign`."""
    low, high = sorted((sign * luck.low, sign * luck.high)) if luck.has_interval else (math.nan, math.nan)
    return estimate(sign * luck.estimate, low, high)


def luck_basis(luck: Luck) -> str:
    """Say level, method and both n of the interval of a difference, or why it has none."""
    n_each = f"n{GAP}={GAP}{luck.n_search} and {luck.n_confirmed}"
    if not luck.has_interval:
        return f"{n_each}: no interval, which takes {'two' if luck.method == 'Welch' else 'more'} of each"
    return f"{level_percent(luck.level)}, {luck.method}, {n_each}"


def effects_words(analysis: Analysis) -> str:
    """Say on which factors the objective depends; empty without an analysis of variance."""
    if analysis.effects is None:
        return ""
    metric, alpha = analysis.dataset.objective.metric, 1 - analysis.level
    effects = [row for row in analysis.effects.rows if row.kind in ("factor", "interaction")]
    tested = [row for row in effects if math.isfinite(row.p_value)]
    seen = [f"{row.source} ({p_value(row.p_value, alpha)})" for row in tested if row.p_value < alpha]
    unseen = [f"{row.source} ({p_value(row.p_value, alpha)})" for row in tested if row.p_value >= alpha]
    over = over_words(analysis.dataset, analysis.ranking)
    words = f"Over {over} {metric} depends on {joined(seen)}." if seen else ""
    if unseen:
        which = f"Over {over} no" if not seen else " No"
        words += f"{which} effect of {joined(unseen)} was seen; there may still be one."
    if analysis.effects.untested:
        words = f"What {metric} depends on was not tested: {analysis.effects.untested}."
    if untold := [row.source for row in effects if row.kind == "factor" and not row.df]:
        words += f" The effect of {joined(untold)} cannot be separated from that of other factors."
    left = left_out_words(analysis.dataset, analysis.ranking)
    return f"{words.strip()} Left out: {left}." if words and left else words.strip()


def effects_over(analysis: Analysis) -> str:
    """Say over which conditions effects and averages are, and which are left out, for a caption."""
    left = left_out_words(analysis.dataset, analysis.ranking)
    over = f"Over {over_words(analysis.dataset, analysis.ranking)}"
    return f"{over}; left out: {left}." if left else f"{over}."


def shares_words(effects: FactorEffects, metric: str) -> str:
    """Say where the variance comes from, the largest share first."""
    shares = sorted(effects.variance_shares.items(), key=lambda item: -item[1])
    factors = {row.source for row in effects.rows if row.kind == "factor"}
    words = [f"{percent(share)} {_source(name, factors)}" for name, share in shares if math.isfinite(share)]
    return f"Of the variance of {metric}, {joined(words)}." if words else ""


def adjusted_words(found: ConditionSummary) -> str:
    """Say the mean adjusted for missing seeds, and their number; empty if none is missing."""
    if not found.n_missing:
        return ""
    return f", adjusted for {count(found.n_missing, 'missing seed')} {number(found.adjusted)}"


def with_interval(interval: Interval | None) -> str:
    """Write an estimate with its interval, level, method and n."""
    if interval is None:
        return "an unknown value"
    how = {"level": interval.level, "method": interval.method, "n": interval.n}
    return with_basis(interval.estimate, interval.low, interval.high, **how)


def numbered(condition: int) -> str:
    """Name a condition by its number: "condition 7"."""
    return f"condition{GAP}{condition}"


def named(analysis: Analysis, condition: int) -> str:
    """Return a condition with its number and values: "condition 7 (lr=0.1, width=64)"."""
    label = short_labels(analysis).get(condition, "")
    return f"{numbered(condition)} ({label})" if label else numbered(condition)


def short_labels(analysis: Analysis) -> dict[int, str]:
    """Return each condition's label with as few digits as distinguish the levels of a factor."""
    digits = {factor.name: digits_of(factor.levels) for factor in analysis.dataset.factors}
    found = {}
    for condition in analysis.dataset.conditions:
        known = [f"{name}={setting(value, digits.get(name, 17))}" for name, value in condition.values.items()]
        found[condition.number] = ", ".join(known) or condition.label
    return found


def summary_of(analysis: Analysis, condition: int) -> ConditionSummary | None:
    """Return the objective's summary of one condition."""
    return next((one for one in analysis.objective if one.condition == condition), None)


def outcome_words(outcomes: Iterable[str]) -> str:
    """Say how replicates ended: "57 finished, 2 diverged and 1 failed"."""
    return joined(f"{n}{GAP}{outcome}" for outcome, n in Counter(outcomes).most_common())


def sentence(text: str) -> str:
    """Write a reason as a sentence with its full stop."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def capital(text: str) -> str:
    """Return a text with its first letter as a capital, unless it begins with a name such as val_loss or lr=0.1."""
    first = next(iter(text.split()), "").rstrip(",.:;")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _source(name: str, factors: set[str]) -> str:
    """A source of variance in words; a factor may itself be called seed or residual."""
    levels = f"is due to {name}"
    if name in factors:
        return levels
    return next((words for source, words in OTHER_SOURCES.items() if name.startswith(source)), levels)
