"""Make the tables for a paper: conditions, each with its estimate and interval in one cell, n and the verdict."""

from __future__ import annotations

from rothamsted.analysis.replicates_words import conditional_words
from rothamsted.analysis.values import Analysis, ConditionSummary
from rothamsted.reporting.parts import Column, DataTable, Row, columns, text
from rothamsted.reporting.sentences import LUCK_MEANING, METHODS, luck_estimate, named, short_labels, without_mean
from rothamsted.reporting.tables.cells import MOST_ROWS, mean_estimate
from rothamsted.reporting.tables.of_conditions import factor_columns
from rothamsted.reporting.verdicts import METHODS as PROCEDURES
from rothamsted.reporting.verdicts import comparison_words, intervals_words, verdict_of
from rothamsted.statistics import Interval
from rothamsted.wording import count, estimate, joined, level_percent, probability
from rothamsted.wording import number as number_text


def conditions_for_paper(analysis: Analysis) -> DataTable:
    """Make the table of ranked conditions, best first: number, factors, estimate with interval, n, verdict.

    Numbers are those of the figures. Several objectives are side by side. The caption says what an interval is, of how
    many replicates, and what it is about.
    """
    dataset = analysis.dataset
    shown = [one for number in analysis.ranking[:MOST_ROWS] for one in analysis.objective if one.condition == number]
    titles, cells = factor_columns(analysis, shown)
    further = [{one.condition: one for one in of_one} for of_one in analysis.others]
    has_verdicts = analysis.best is not None
    rows = tuple(
        Row(
            cells=(
                text(str(one.condition)),
                *cells[one.condition],
                text(str(mean_estimate(one)[0])),
                *(text(str(mean_estimate(other[one.condition])[0])) for other in further),
                text(str(one.n)),
                *((text(verdict_of(analysis, one.condition)),) if has_verdicts else ()),
            )
        )
        for one in shown
    )
    metrics = [dataset.objective.metric, *(one.metric for one in dataset.others)]
    numbers = (*columns(*metrics, "n"), *((Column(title="verdict"),) if has_verdicts else ()))
    return DataTable(
        caption=" ".join(part for part in _caption(analysis, shown) if part),
        columns=(Column(title="no.", is_numeric=True), *titles, *numbers),
        rows=rows,
        notes=_notes(analysis, len(shown)),
    )


def confirmed_for_paper(analysis: Analysis) -> DataTable | None:
    """Return both estimates of each confirmed condition, by search and fresh seeds; None if none is confirmed."""
    found = [one for one in analysis.confirmed if one.mean is not None]
    if not found:
        return None
    labels, what = short_labels(analysis), analysis.over_words
    rows = tuple(
        Row(
            cells=(
                text(labels.get(one.condition, "")),
                text(_estimated(one.search, one.searched)),
                text(str(one.searched.n if one.searched else 0)),
                text(_estimated(one.confirmed, one.summary)),
                text(str(one.summary.n if one.summary else 0)),
                text(str(luck_estimate(one.luck))),
            )
        )
        for one in found
    )
    methods = joined(dict.fromkeys(one.luck.method for one in found))
    caption = (
        f"{analysis.dataset.objective.metric} on seeds that the search did not use: {what} with {_kind(analysis)}. "
        f"Luck is how much better the search's {what} was, with the interval of the difference ({methods}). "
        f"{LUCK_MEANING}"
    )
    numbers = columns("search", "n", "fresh seeds", "n", "luck")
    return DataTable(caption=caption, columns=(Column(title="condition"), *numbers), rows=rows)


def comparisons_for_paper(analysis: Analysis) -> DataTable | None:
    """Compare every condition with the named reference; None if none was named."""
    family = analysis.comparisons
    if family is None or not family.rows:
        return None
    labels, alpha = short_labels(analysis), 1 - family.level
    rows = tuple(
        Row(
            cells=(
                text(labels.get(row.condition, "")),
                text(str(estimate(row.difference, row.low, row.high))),
                text(str(row.n)),
                text(probability(row.p_corrected, alpha)),
                text(str(estimate(row.effect, row.effect_low, row.effect_high))),
            )
        )
        for row in family.rows[:MOST_ROWS]
    )
    caption = (
        f"Differences in {analysis.dataset.objective.metric} from {named(analysis, family.reference)}: "
        f"{comparison_words(family)}; {intervals_words(family)}."
    )
    numbers = columns("difference", "n", "p", "Cohen's d")
    return DataTable(caption=caption, columns=(Column(title="condition"), *numbers), rows=rows)


def _estimated(interval: Interval | None, summary: ConditionSummary | None) -> str:
    if summary is not None:
        return str(mean_estimate(summary)[0])
    return "" if interval is None else str(estimate(interval.estimate, interval.low, interval.high))


def _caption(analysis: Analysis, shown: list[ConditionSummary]) -> tuple[str, ...]:
    dataset, found = analysis.dataset, analysis.best
    objective = dataset.objective
    better = "lower" if objective.direction == "minimize" else "higher"
    n = sorted({one.n for one in shown})
    of = "" if not n else f" over {count(n[0], 'replicate')}" if len(n) == 1 else f" over {n[0]} to {n[-1]} replicates"
    searched = dataset.kind == "sweep"
    verdicts = ""
    if found is not None:
        verdicts = f"Verdicts at {level_percent(found.level)} confidence: {PROCEDURES[found.method]}."
    return (
        f"{objective.metric} by condition, {better} is better: {analysis.over_words}{of} with {_kind(analysis)}.",
        verdicts,
        conditional_words(dataset, has_advice=False),
        "The first condition was chosen because it looked best, so its estimate is optimistic." if searched else "",
    )


def _kind(analysis: Analysis) -> str:
    """The kind of interval: "95 % confidence interval (Student's t)"; of several kinds all are named."""
    found = [one.interval for one in analysis.objective if one.interval]
    methods = joined(dict.fromkeys(METHODS.get(one.method, one.method) for one in found))
    what = "confidence interval" if len({one.method for one in found}) <= 1 else "confidence intervals"
    return f"{level_percent(analysis.level)} {what}{f' ({methods})' if methods else ''}"


def _notes(analysis: Analysis, n_shown: int) -> tuple[str, ...]:
    more = len(analysis.ranking) - n_shown
    left = (f"{count(more, 'further condition')} not shown.",) if more > 0 else ()
    return (*left, *([words] if (words := without_mean(analysis)) else []), *_meanings(analysis))


def _meanings(analysis: Analysis) -> tuple[str, ...]:
    """What the verdicts that occur mean."""
    best = analysis.best
    if best is None:
        return ()
    unlikely = any(not best.verdicts[number].is_in_set for number in best.having("open"))
    loss = "" if best.smallest_difference is None else f", which is less than {number_text(best.smallest_difference)}"
    said = {
        "worse": "worse: than the best of the others",
        "as good": f"as good: it loses less than matters{loss}",
        "open": "open: neither is shown" + ("; unlikely: ruled out as the best, not shown to be worse" * unlikely),
    }
    found = [words for verdict, words in said.items() if best.having(verdict)]
    return (f"Verdicts: {'; '.join(found)}.",) if found else ()
