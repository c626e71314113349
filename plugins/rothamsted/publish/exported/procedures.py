"""List the procedures that an analysis used: a sentence for the methods section, and the sources that it cites.

Procedures that this analysis did not use are not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rothamsted.analysis.replicates_words import conditional_words
from rothamsted.analysis.values import Analysis, ConditionSummary
from rothamsted.catalog import CORRECTIONS, TESTS
from rothamsted.publish.exported.procedure_sources import (
    BEST,
    CENTRE_TESTS,
    CORRECTION_SOURCES,
    INTERVALS,
    OTHERS,
    PRUNERS,
    SAMPLERS,
    TEST_SOURCES,
)
from rothamsted.reporting.tables.csv_of_budget import expected_best_table
from rothamsted.wording import count, joined, level_percent, number


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """Describes one procedure.

    Attributes:
        text: a sentence or more.
        cites: keys of `references`.
    """

    text: str
    cites: tuple[str, ...] = ()


def procedures(analysis: Analysis) -> list[Procedure]:
    """Return the procedures that were used, in the order of a methods section."""
    return [
        *_search(analysis),
        *_replicates(analysis),
        *_intervals(analysis),
        *_missing(analysis),
        *_verdicts(analysis),
        *_comparisons(analysis),
        *_confirmed(analysis),
        *_effects(analysis),
        *_several(analysis),
        *_over_tasks(analysis),
        *_budget(analysis),
        *_dependence(analysis),
    ]


def cited(found: Iterable[Procedure]) -> list[str]:
    """Return the keys of all sources, in the order of their first citation."""
    return list(dict.fromkeys(key for one in found for key in one.cites))


def _search(analysis: Analysis) -> Iterator[Procedure]:
    dataset = analysis.dataset
    if dataset.kind != "sweep":
        return
    words, cites = SAMPLERS.get(dataset.sampler, (f"the sampler {dataset.sampler}" if dataset.sampler else "", ()))
    chosen = f", chosen by {words}" if words else ""
    n = count(len(dataset.conditions), "condition")
    factors = joined(factor.name for factor in dataset.factors)
    over = f" over {factors}" if factors else ""
    yield Procedure(
        text=f"{n}{over} were tried{chosen}. Runs are recorded in MLflow, the search in Optuna.",
        cites=tuple(dict.fromkeys((*cites, *OTHERS["the engine below"]))),
    )
    if pruner := dataset.design.get("pruner"):
        name = re.split(r"[ ,]", pruner)[0]
        how, of_pruner = PRUNERS.get(name, (f"the pruner {name}", ()))
        yield Procedure(
            text=f"Training was stopped early by {how} ({pruner}); a pruned condition is in no mean, interval or rank.",
            cites=of_pruner,
        )
    if early := dataset.design.get("early stopping"):
        yield Procedure(text=f"A replicate ended when its own curve no longer improved: {early}.")


def _replicates(analysis: Analysis) -> Iterator[Procedure]:
    dataset = analysis.dataset
    objective = dataset.objective
    better = "lower" if objective.direction == "minimize" else "higher"
    made_of = f", which is {objective.expression}" if objective.expression else ""
    scored = {"best": f"the best {objective.metric} over its training", "last": f"its last {objective.metric}"}.get(
        objective.reduce, f"the mean of its last {objective.reduce.rpartition(':')[2]} values of {objective.metric}"
    )
    yield Procedure(text=f"A replicate is scored by {scored}{made_of} ({better} is better).")
    if words := dataset.design.get("replicates"):
        yield Procedure(text=f"Replicates: {words}.")
    if words := conditional_words(dataset, has_advice=False):
        yield Procedure(text=words)
    if "racing" in dataset.looked_by:
        yield Procedure(
            text=(
                "Conditions raced. After each round every condition was compared with the mean of the three others "
                "that had led before it, by a one-sided sequential t test whose looks share the error rate. "
                f"Conditions found worse at {level_percent(analysis.level)} confidence were dropped."
            )
        )


def _intervals(analysis: Analysis) -> Iterator[Procedure]:
    found = [one.interval for one in analysis.objective if one.interval]
    found += [one.confirmed for one in analysis.confirmed if one.confirmed]
    for method in dict.fromkeys(one.method for one in found):
        words, cites = interval_words(method)
        yield Procedure(
            text=f"Intervals of the {analysis.over_words} have {level_percent(analysis.level)} nominal coverage and "
            f"are made by {words}.",
            cites=cites,
        )
    over = analysis.dataset.objective.over
    if over.startswith("quantile"):
        yield Procedure(
            text="Quantiles are linear between two ordered values (type 7).", cites=OTHERS["quantiles over seeds"]
        )


def interval_words(method: str) -> tuple[str, tuple[str, ...]]:
    """Say in words how intervals of a method are made, and name its sources.

    One of another package is called by its name.
    """
    if method.startswith("trimmed"):
        return INTERVALS["trimmed"]
    return INTERVALS.get(method, (f"the method {method}", ()))


def _missing(analysis: Analysis) -> Iterator[Procedure]:
    if not any(one.n_missing for one in _all_summaries(analysis)):
        return
    is_mean = analysis.dataset.objective.over == "mean"
    kind = "means" if is_mean else "medians and interquartile means"
    how = "an additive model of condition and seed by least squares" if is_mean else "median polish"
    yield Procedure(
        text=f"Conditions that lack seeds are ranked by {analysis.over_words}s adjusted for them by {how}.",
        cites=OTHERS[f"{kind} adjusted for missing seeds"],
    )


def _all_summaries(analysis: Analysis) -> Iterator[ConditionSummary]:
    yield from analysis.objective
    yield from (one.summary for one in analysis.confirmed if one.summary is not None)


def _verdicts(analysis: Analysis) -> Iterator[Procedure]:
    found = analysis.best
    if found is None:
        return
    words, cites = BEST[found.method]
    matters = ""
    if found.smallest_difference is not None:
        matters = f" A loss below {number(found.smallest_difference)} was set beforehand not to matter."
    yield Procedure(
        text=f"Which conditions can be the best, and which are worse than the best of the others, is decided at "
        f"{level_percent(found.level)} confidence by {words}.{matters}",
        cites=cites,
    )


def _comparisons(analysis: Analysis) -> Iterator[Procedure]:
    family = analysis.comparisons
    if family is None or not family.rows:
        return
    row = CORRECTIONS[family.correction]
    if row.is_joint:
        yield Procedure(
            text=f"Conditions were compared with a reference by {family.test} procedure, whose intervals hold "
            f"together at {level_percent(family.level)}.",
            cites=CORRECTION_SOURCES.get(family.correction, ()),
        )
    else:
        labels = {**{one.label: TEST_SOURCES.get(name, ()) for name, one in TESTS.items()}, **CENTRE_TESTS}
        named = [re.sub(r" \(\d+( rows)?\)$", "", part) for part in family.test.split(", ")]
        tests = [key for label in named for key in labels.get(label, ())]
        how = "not corrected for their number" if family.correction == "none" else f"p-values corrected by {row.label}"
        yield Procedure(
            text=f"Conditions were compared with a reference by the test {family.test}, {how}.",
            cites=tuple(dict.fromkeys((*tests, *CORRECTION_SOURCES.get(family.correction, ())))),
        )
    yield Procedure(
        text="Effect sizes are Cohen's d with the interval of the noncentral t, and the probability that a replicate "
        "of one condition beats one of the other (Wilson's interval for pairs, else method 5 of Newcombe).",
        cites=OTHERS["effect sizes of comparisons"],
    )


def _confirmed(analysis: Analysis) -> Iterator[Procedure]:
    found = [one for one in analysis.confirmed if one.mean is not None]
    if not found:
        return
    n = sorted({one.summary.n for one in found if one.summary})
    replicates = count(n[0], "replicate") if len(n) == 1 else f"{n[0]} to {n[-1]} replicates"
    which = "The best condition was" if len(found) == 1 else f"The best {len(found)} conditions were each"
    methods = list(dict.fromkeys(one.luck.method for one in found))
    cites = [key for method in methods for key in {"Welch": ("welch1947",), **CENTRE_TESTS}.get(method, ())]
    yield Procedure(
        text=f"{which} trained again on seeds that the search never used ({replicates}); these estimates are reported. "
        f"The difference from the search's estimate has the interval of {joined(methods)}.",
        cites=tuple(cites),
    )


def _effects(analysis: Analysis) -> Iterator[Procedure]:
    if analysis.effects is None or not analysis.effects.rows:
        return
    if any(row.kind in ("factor", "interaction") and row.p_value == row.p_value for row in analysis.effects.rows):
        yield Procedure(
            text="Effects of factors are tested by Type II sums of squares with the seed as block and a variance of "
            "its own for each condition, with Box-type degrees of freedom; p-values are not corrected for the number "
            "of sources.",
            cites=OTHERS["effects of factors"],
        )
    if any(one.low == one.low for one in analysis.effects.means):
        yield Procedure(
            text="Intervals of level means have Satterthwaite's degrees of freedom.", cites=OTHERS["means of levels"]
        )


def _several(analysis: Analysis) -> Iterator[Procedure]:
    if analysis.pareto is not None:
        sure = ""
        if analysis.pareto.frequency:
            sure = (
                f" The share of resamples in which it has a condition is from {analysis.pareto.n_resamples} "
                "bootstrap draws."
            )
        yield Procedure(
            text=f"The Pareto set is that of the means of all objectives.{sure}",
            cites=OTHERS["Pareto set"] if sure else (),
        )
    if analysis.sources is not None:
        yield Procedure(
            text="Shares of variance by source are from mean squares of crossed replicates, with generalized "
            "confidence intervals.",
            cites=OTHERS["shares of variance by source"],
        )


def _over_tasks(analysis: Analysis) -> Iterator[Procedure]:
    tasks = analysis.tasks
    if tasks is None:
        return
    yield Procedure(
        text=f"Over the {len(tasks.scored)} tasks, means, interquartile means, performance profiles and probabilities "
        "of improvement have intervals of a bootstrap stratified by task, which draws n - 1 of n replicates.",
        cites=OTHERS["means, interquartile means and probability of improvement over tasks"],
    )
    if tasks.ranks is not None:
        yield Procedure(
            text="Mean ranks over tasks are compared by Friedman's test in Iman and Davenport's form, and all pairs by "
            "Nemenyi's test.",
            cites=OTHERS["ranks over tasks"],
        )


def _budget(analysis: Analysis) -> Iterator[Procedure]:
    if expected_best_table(analysis).rows:
        yield Procedure(
            text="The expected best score by budget is the mean over all choices of k of the tried conditions, drawn "
            "without replacement.",
            cites=OTHERS["expected best by budget"],
        )


def _dependence(analysis: Analysis) -> Iterator[Procedure]:
    if analysis.dataset.looked_by:
        yield Procedure(
            text=f"Which trials were run depended on results ({joined(analysis.dataset.looked_by)}), so means of the "
            "search may be biased; estimates on fresh seeds are not.",
            cites=OTHERS["means of data that were collected by results"],
        )
