"""Make the tables of conditions for a page: digits by uncertainty, long tables cut, with marks and notes.

The CSV tables hold all rows and digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rothamsted.analysis.left_out import left_out_words
from rothamsted.analysis.values import (
    Analysis,
    Comparisons,
    ConditionSummary,
    Confirmed,
    Luck,
)
from rothamsted.reporting.parts import Cell, Column, DataTable, Row, columns, numeric, text
from rothamsted.reporting.sentences import LUCK_MEANING, capital, luck_basis, luck_estimate, short_labels
from rothamsted.reporting.tables.cells import (
    MOST_ROWS,
    collected,
    comparison_cells,
    comparison_columns,
    interval_cells,
    interval_title,
    limit_note,
    mean_estimate,
    methods_of,
    remarks,
    setting_cell,
    summary_cells,
    verdict_cells,
    verdict_columns,
)
from rothamsted.reporting.tables.csv_tables import conditions_by_number, in_order_of_rank
from rothamsted.reporting.verdicts import METHODS, comparison_words, intervals_words
from rothamsted.wording import (
    GAP,
    MISSING,
    count,
    digits_of,
    joined,
    level_percent,
)

MOST_FACTOR_COLUMNS = 6  # with more, a condition is shown by its label
Mark = Literal["", "best", "member", "unranked"]


def results(analysis: Analysis) -> DataTable:
    """Make the table of the objective by condition: rank, factors, mean with interval, sd, n, how replicates ended."""
    ordered = [one for one in in_order_of_rank(analysis, analysis.objective) if _has_mean(analysis, one)]
    shown = ordered[:MOST_ROWS]
    rank = {condition: place for place, condition in enumerate(analysis.ranking, start=1)}
    titles, factor_cells = factor_columns(analysis, shown)
    header, is_uniform = interval_title(shown, analysis.level)
    further = [{one.condition: one for one in of_one} for of_one in analysis.others]
    rows = tuple(
        Row(
            cells=(
                numeric(str(rank[one.condition]) if one.condition in rank else MISSING, rank.get(one.condition)),
                numeric(str(one.condition), one.condition),
                *factor_cells[one.condition],
                *verdict_cells(analysis, one.condition),
                *summary_cells(one, is_uniform),
                *(cell for of_one in further for cell in _mean_cells(of_one[one.condition])),
                Cell(text=_ended(one), sort=repr(float(one.counts.get("finished", 0)))),
            ),
            mark=_mark(analysis, one.condition),
        )
        for one in shown
    )
    objective = analysis.dataset.objective
    better = "lower" if objective.direction == "minimize" else "higher"
    head = (Column(title="Rank", is_numeric=True), Column(title="No.", is_numeric=True, hint="number of the condition"))
    others = [title for one in analysis.dataset.others for title in (f"Mean {one.metric}", header)]
    numbers = columns(f"{capital(analysis.over_words)} {objective.metric}", header, "sd", "n", *others)
    tail = (*verdict_columns(analysis), *numbers, Column(title="Replicates"))
    order = ", the Pareto set first, then" if analysis.dataset.others else ","
    return DataTable(
        caption=f"{objective.metric} by condition, {better} is better{order} best first.",
        columns=(*head, *titles, *tail),
        rows=rows,
        notes=(
            *_marks_note(analysis, shown),
            *limit_note(len(ordered), "condition", "conditions.csv"),
            *_odd(analysis, shown),
        ),
    )


def comparisons(analysis: Analysis, family: Comparisons) -> DataTable:
    """Compare every condition with the reference: difference, p-values, effect sizes."""
    rank = {condition: place for place, condition in enumerate(analysis.ranking)}
    ordered = sorted(family.rows, key=lambda row: (rank.get(row.condition, len(rank)), row.condition))
    labels, alpha = short_labels(analysis), 1 - family.level
    rows = tuple(
        Row(
            cells=(
                numeric(str(row.condition), row.condition),
                text(labels.get(row.condition, "")),
                *comparison_cells(row, alpha),
            )
        )
        for row in ordered[:MOST_ROWS]
    )
    head = (Column(title="No.", is_numeric=True), Column(title="Condition"))
    metric = analysis.dataset.objective.metric
    unequal = [f"No. {row.condition}: {row.note}" for row in ordered[:MOST_ROWS] if row.note]
    return DataTable(
        caption=f"Differences in {metric} from condition{GAP}{family.reference}: {comparison_words(family)}.",
        columns=(*head, *comparison_columns(family.level)),
        rows=rows,
        notes=(
            f"Difference: condition minus reference, with {intervals_words(family)}.",
            "P(better): how often a replicate of the condition beat one of the reference, with the "
            "interval for the probability of that (Wilson for pairs, else Newcombe's method 5).",
            *([f"Not paired: {family.why_unpaired}."] if family.why_unpaired else []),
            *limit_note(len(ordered), "comparison", "comparisons.csv"),
            *collected(unequal),
        ),
    )


def confirmed_table(confirmed: Sequence[Confirmed], analysis: Analysis) -> DataTable:
    """Make the table of confirmed conditions: the estimate of the search, and that of fresh seeds."""
    labels = short_labels(analysis)
    rows = tuple(
        Row(
            cells=(
                numeric(str(one.condition), one.condition),
                text(labels.get(one.condition, "")),
                *interval_cells(one.search),
                *interval_cells(one.confirmed),
                *_luck_cells(one.luck),
            )
        )
        for one in confirmed
    )
    shown = f"{level_percent(analysis.level)} interval"
    titles = ("Search", shown, "n", "Fresh seeds", shown, "n", "Luck", shown)
    what = analysis.over_words
    hint = f"how much better the search's {what} was than that of fresh seeds; negative if it was worse"
    methods = methods_of([interval for one in confirmed for interval in (one.search, one.confirmed)])
    of_luck = joined(dict.fromkeys(one.luck.method for one in confirmed))
    return DataTable(
        caption=f"{analysis.dataset.objective.metric} of the conditions that were trained again on fresh seeds.",
        columns=(
            Column(title="No.", is_numeric=True),
            Column(title="Condition"),
            *columns(*titles, hints=("",) * 6 + (hint,)),
        ),
        rows=rows,
        notes=(f"Luck: {hint}. Intervals: {methods}; of luck: {of_luck}. {LUCK_MEANING}", *_without_luck(confirmed)),
    )


def tested_table(confirmed: Sequence[Confirmed], analysis: Analysis) -> DataTable | None:
    """Return the test metrics of the confirmed conditions' models; None if there are none."""
    labels = short_labels(analysis)
    found = [(one.condition, name, summary) for one in confirmed for name, summary in one.tested.items()]
    if not found:
        return None
    header, is_uniform = interval_title([summary for *_, summary in found], analysis.level)
    rows = tuple(
        Row(
            cells=(
                numeric(str(number), number),
                text(labels.get(number, "")),
                text(name),
                *summary_cells(summary, is_uniform),
            )
        )
        for number, name, summary in found[:MOST_ROWS]
    )
    return DataTable(
        caption="Test metrics on fresh seeds: rows of data that no choice used.",
        columns=(
            Column(title="No.", is_numeric=True),
            Column(title="Condition"),
            *columns("Metric", "Mean", header, "sd", "n", numeric_from=1),
        ),
        rows=rows,
        notes=limit_note(len(found), "row", "confirmed_replicates.csv"),
    )


def metrics_table(analysis: Analysis, condition: int) -> DataTable:
    """Make the table of the final value of every other metric of one condition."""
    found = [
        (name, one) for name, all_ in analysis.metrics.items() for one in all_ if one.condition == condition and one.n
    ]
    header, is_uniform = interval_title([one for _, one in found], analysis.level)
    rows = tuple(Row(cells=(text(name), *summary_cells(one, is_uniform))) for name, one in found)
    return DataTable(
        caption=f"Final values of all metrics of condition{GAP}{condition}. Other conditions: statistics/metrics.csv.",
        columns=columns("Metric", "Mean", header, "sd", "n", numeric_from=1),
        rows=rows,
        notes=remarks(found),
    )


def _luck_cells(luck: Luck) -> tuple[Cell, Cell]:
    """How much better the search's estimate was than that of fresh seeds, with the interval."""
    written = luck_estimate(luck)
    return numeric(written.value, luck.estimate), numeric(written.interval, luck.high - luck.low, luck_basis(luck))


def _without_luck(confirmed: Sequence[Confirmed]) -> tuple[str, ...]:
    """Say where luck has no interval, and why."""
    return collected(
        [f"No. {one.condition}: luck, {luck_basis(one.luck)}." for one in confirmed if not one.luck.has_interval]
    )


def factor_columns(
    analysis: Analysis, shown: Sequence[ConditionSummary]
) -> tuple[tuple[Column, ...], Mapping[int, tuple[Cell, ...]]]:
    """Return a column for each factor with its cells by condition; if there are many factors, one for the label."""
    conditions, factors = conditions_by_number(analysis), analysis.dataset.factors
    numbers = [one.condition for one in shown]
    if not 0 < len(factors) <= MOST_FACTOR_COLUMNS:
        labels = short_labels(analysis)
        return (Column(title="Condition"),), {one: (text(labels.get(one, "")),) for one in numbers}
    values = [[conditions[one].values.get(factor.name) for one in numbers if one in conditions] for factor in factors]
    digits = [digits_of(column) for column in values]
    cells = {
        one: tuple(
            setting_cell(conditions[one].values, factor.name, places) if one in conditions else text("")
            for factor, places in zip(factors, digits, strict=True)
        )
        for one in numbers
    }
    return tuple(Column(title=factor.name, is_numeric=factor.is_numeric) for factor in factors), cells


def _mean_cells(one: ConditionSummary) -> tuple[Cell, Cell]:
    """Mean and interval of a further objective."""
    written, width = mean_estimate(one)
    return numeric(written.value, one.value), numeric(written.interval, width, hint=one.note)


def _mark(analysis: Analysis, condition: int) -> Mark:
    if condition not in analysis.ranking:
        return "unranked"
    if analysis.best is None:
        return ""
    if condition == analysis.best.winner:
        return "best"
    return "member" if condition in analysis.best.members else ""


def _marks_note(analysis: Analysis, shown: Sequence[ConditionSummary]) -> tuple[str, ...]:
    """Say what marks, limits and verdicts mean, and how many are out of sight."""
    best = analysis.best
    if best is None:
        return ()
    n_hidden = len(set(best.members) - {one.condition for one in shown})
    hidden = f" {count(n_hidden, 'of them is', 'of them are')} not among the rows shown." if n_hidden else ""
    member = f"; ○ cannot be ruled out as the best ({level_percent(best.level)} confidence)" if best.others else ""
    is_unlikely = any(not best.verdicts[condition].is_in_set for condition in best.having("open"))
    unlikely = " Unlikely: ruled out as the best, but not shown to be worse." if is_unlikely else ""
    return (
        f"● best {analysis.over_words}{member}.{unlikely}{hidden}",
        f"Worse by: limits for how much worse the condition is than the best of the others. All limits hold together "
        f"with {level_percent(best.level)} confidence ({METHODS[best.method]}).",
        *best.warnings,
    )


def _ended(one: ConditionSummary) -> str:
    """How the replicates of a condition ended: "2 finished, 1 diverged"."""
    return ", ".join(f"{n}{GAP}{outcome}" for outcome, n in one.counts.items() if n) or "none"


def _has_mean(analysis: Analysis, one: ConditionSummary) -> bool:
    """Whether there is a row to show; not with a diverged replicate: it would be the mean of the lucky ones."""
    return one.condition in analysis.ranking or (one.n > 0 and not one.counts.get("diverged"))


def _odd(analysis: Analysis, shown: Sequence[ConditionSummary]) -> tuple[str, ...]:
    """Remarks on single conditions; equal ones once."""
    hidden = {one.condition for one in analysis.objective if not _has_mean(analysis, one)}
    seen = [condition.number for condition in analysis.dataset.conditions if condition.number not in hidden]
    left = left_out_words(analysis.dataset, seen)
    what = analysis.over_words
    lucky = f" A condition with a diverged replicate has no {what}: it would be too good without that replicate."
    is_lucky = any(one.counts.get("diverged") for one in analysis.objective if one.condition in hidden)
    notes = [
        *([f"Without a mean: {left}.{lucky if is_lucky else ''}"] if left else []),
        *(f"No. {one.condition}: {one.note}" for one in shown if one.note),
    ]
    constant = [
        f"No. {one.condition}: every replicate gave the same value" for one in shown if one.is_constant and not one.note
    ]
    return collected([*notes, *constant])
