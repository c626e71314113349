"""Write the page that compares runs or sweeps: their curves, parameters and results side by side.

The subjects need not share a sweep, a study or seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rothamsted.analysis.values import ComparisonRow, Comparisons, ConditionSummary, Objective
from rothamsted.reporting.page.report_page import Render, draw, fill
from rothamsted.reporting.parts import (
    Cell,
    Column,
    Commands,
    DataTable,
    Facts,
    Part,
    Row,
    Section,
    columns,
    facts,
    figures,
    gap,
    numeric,
    paragraphs,
    text,
)
from rothamsted.reporting.sentences import capital, sentence, with_interval
from rothamsted.reporting.tables.cells import (
    collected,
    comparison_cells,
    comparison_columns,
    interval_title,
    mean_estimate,
    summary_cells,
)
from rothamsted.reporting.verdicts import comparison_words, intervals_words
from rothamsted.wording import MISSING, count, digits_of, estimate, joined, level_percent, setting

LEAST_DIGITS = 12  # of a parameter: 0.30000000000000004 was meant as 0.3


@dataclass(frozen=True, kw_only=True)
class SubjectResult:
    """Holds one of the runs or sweeps that are compared."""

    number: int  # what rows of `Comparisons` and summaries call it by
    name: str
    kind: str  # "run", "condition", "sweep": what it is, in a word
    run_id: str
    parameters: Mapping[str, Any]  # parameter -> value; one that was not set is absent
    objective: ConditionSummary | None  # None where it lacks the metric
    metrics: Mapping[str, ConditionSummary] = field(default_factory=dict)  # final value of every other metric
    about: str = ""  # what stands for it: "confirmed best condition, 10 fresh seeds"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Holds everything that the page of a comparison shows."""

    title: str
    objective: Objective
    level: float
    subjects: tuple[SubjectResult, ...]  # in the order in which they were named
    comparisons: Comparisons | None  # with one subject as reference, or of all pairs
    gaps: Mapping[str, str] = field(default_factory=dict)  # part that is missing -> why
    marks: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    how_to_reproduce: tuple[str, ...] = ()


def render_comparison(
    comparison: Comparison,
    *,
    plots: Sequence[str],
    render: Render,
    generated_at: str,
    version: str,
) -> str:
    """Write a comparison as one HTML document that needs nothing else.

    Args:
        comparison: What is compared.
        plots: Names of the figures, such as the curves by step and by wall-clock time, in their order.
        render: Draws one of them, as in `render_report`.
        generated_at: Time of writing, as the page shows it.
        version: Version of rothamsted.

    Raises:
        ValueError: A drawing cannot be put into a page (see `inline_svg`).
    """
    drawn = figures(draw(name, render) for name in dict.fromkeys(plots))
    found = (
        Section(name="results", title="Results", parts=_results(comparison)),
        Section(name="comparisons", title="Differences", parts=_differences(comparison)),
        Section(name="curves", title="Curves", parts=drawn or _curves_gap(comparison)),
        Section(name="parameters", title="Parameters", parts=_parameters(comparison)),
        Section(name="metrics", title="Other metrics", parts=_metrics(comparison)),
        Section(name="provenance", title="Provenance", parts=facts("", comparison.provenance.items())),
        Section(name="reproduce", title="How to reproduce", parts=_reproduce(comparison)),
    )
    return fill(
        "page.html.j2",
        title=comparison.title,
        subtitle=f"Comparison of {_kinds(comparison.subjects)}",
        marks=comparison.marks,
        first=None,
        summary=summary(comparison),
        sections=tuple(section for section in found if section.parts),
        generated_at=generated_at,
        version=version,
    )


def summary(comparison: Comparison) -> tuple[str, ...]:
    """Say in words what the intervals show about the subjects."""
    metric = comparison.objective.metric
    scored = [one for one in comparison.subjects if one.objective is not None and one.objective.n > 0]
    lacking = [one.name for one in comparison.subjects if one not in scored]
    without = f"{joined(lacking)} {'has' if len(lacking) == 1 else 'have'} no {metric}." if lacking else ""
    means = [f"{one.name}: {_mean_words(one.objective)}" for one in scored if one.objective]
    opening = f"Mean {metric}: {'; '.join(means)}." if means else ""
    verdicts = [_verdict(comparison, row) for row in comparison.comparisons.rows] if comparison.comparisons else []
    return tuple(part for part in (f"{opening} {without}".strip(), " ".join(verdicts[:6])) if part)


def parameter_differences(subjects: Sequence[SubjectResult]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the parameters that differ between subjects and of those that do not, each in the order of setting.

    A parameter that one subject does not have differs; 1 and 1.0 are the same, true and 1 are not.
    """
    names = dict.fromkeys(name for one in subjects for name in one.parameters)
    different = tuple(name for name in names if not _is_shared(name, subjects))
    return different, tuple(name for name in names if name not in different)


def _is_shared(name: str, subjects: Sequence[SubjectResult]) -> bool:
    if any(name not in one.parameters for one in subjects):
        return False
    first, *rest = [one.parameters[name] for one in subjects]
    return all(value == first and isinstance(value, bool) == isinstance(first, bool) for value in rest)


def _results(comparison: Comparison) -> tuple[Part, ...]:
    metric, direction = comparison.objective.metric, comparison.objective.direction
    summaries = [one.objective for one in comparison.subjects if one.objective]
    if not summaries:
        return gap(capital(sentence(comparison.gaps.get("objective") or f"None of them has {metric}")))
    header, is_uniform = interval_title(summaries, comparison.level)
    nothing = (text(""), text(""), text(""), numeric("0", 0))
    rows = [
        Row(
            cells=(
                text(one.name),
                text(f"{one.kind}: {one.about}" if one.about else one.kind),
                *(summary_cells(one.objective, is_uniform) if one.objective else nothing),
                text(one.run_id),
            )
        )
        for one in comparison.subjects
    ]
    better = "lower" if direction == "minimize" else "higher"
    numbers = columns(f"Mean {metric}", header, "sd", "n")
    table = DataTable(
        caption=f"{metric}, {better} is better.",
        columns=(Column(title="Name"), Column(title="What it is"), *numbers, Column(title="Run")),
        rows=tuple(rows),
        notes=collected(
            [f"{one.name}: {found.note}" for one in comparison.subjects if (found := one.objective) and found.note]
        ),
    )
    return (table,)


def _differences(comparison: Comparison) -> tuple[Part, ...]:
    family = comparison.comparisons
    if family is None or not family.rows:
        return gap(capital(sentence(comparison.gaps.get("comparisons") or "Nothing was compared")))
    names = {one.number: one.name for one in comparison.subjects}
    alpha = 1 - family.level
    rows = [Row(cells=(*_pair(row, names), *comparison_cells(row, alpha))) for row in family.rows]
    table = DataTable(
        caption=f"Differences in {comparison.objective.metric}: {comparison_words(family)}.",
        columns=(Column(title="First"), Column(title="Second"), *comparison_columns(family.level)),
        rows=tuple(rows),
        notes=(
            f"Difference: first minus second, with {intervals_words(family)}.",
            *([f"Not paired: {family.why_unpaired}."] if family.why_unpaired else []),
            *collected([f"{names.get(row.condition, row.condition)}: {row.note}" for row in family.rows if row.note]),
        ),
    )
    return (table,)


def _pair(row: ComparisonRow, names: Mapping[int, str]) -> tuple[Cell, Cell]:
    return text(names.get(row.condition, str(row.condition))), text(names.get(row.reference, str(row.reference)))


def _parameters(comparison: Comparison) -> tuple[Part, ...]:
    subjects = comparison.subjects
    different, same = parameter_differences(subjects)
    rows = [Row(cells=(text(name), *_values(name, subjects))) for name in different]
    titles = ("Parameter", *(one.name for one in subjects))
    parts: tuple[Part, ...] = paragraphs("" if different else "They have the same parameters.")
    if different:
        kinds = columns(*titles, numeric_from=len(titles))
        parts = (DataTable(caption="Parameters that differ.", columns=kinds, rows=tuple(rows)),)
    if same:
        items = tuple((name, setting(subjects[0].parameters[name])) for name in same)
        parts = (*parts, Facts(caption="", items=items, collapsed=f"{count(len(same), 'parameter')} that all share"))
    return parts


def _values(name: str, subjects: Sequence[SubjectResult]) -> list[Cell]:
    """One parameter of each subject, with as many digits as show that they differ."""
    digits = max(LEAST_DIGITS, digits_of([one.parameters.get(name) for one in subjects]))
    return [
        text(setting(one.parameters[name], digits)) if name in one.parameters else Cell(text=MISSING, hint="not set")
        for one in subjects
    ]


def _metrics(comparison: Comparison) -> tuple[Part, ...]:
    names = dict.fromkeys(name for one in comparison.subjects for name in one.metrics)
    if not names:
        return ()
    summaries = [summary for one in comparison.subjects for summary in one.metrics.values()]
    header, _ = interval_title(summaries, comparison.level)
    rows = [
        Row(cells=(text(name), *(_metric_cell(one.metrics.get(name)) for one in comparison.subjects))) for name in names
    ]
    titles = ("Metric", *(one.name for one in comparison.subjects))
    caption = f"Final values: mean with {header}."
    return (DataTable(caption=caption, columns=columns(*titles, numeric_from=1), rows=tuple(rows)),)


def _metric_cell(found: ConditionSummary | None) -> Cell:
    if found is None or found.n == 0:
        return text("")
    written, _ = mean_estimate(found)
    return numeric(f"{written}, n = {found.n}", found.value)


def _curves_gap(comparison: Comparison) -> tuple[Part, ...]:
    return gap(capital(sentence(comparison.gaps.get("curves") or "No curves were asked for")))


def _reproduce(comparison: Comparison) -> tuple[Part, ...]:
    return (Commands(lines=comparison.how_to_reproduce),) if comparison.how_to_reproduce else ()


def _mean_words(found: ConditionSummary) -> str:
    if found.interval is None:
        written, _ = mean_estimate(found)
        return f"{written} ({found.note or f'n = {found.n}: no interval'})"
    return with_interval(found.interval)


def _verdict(comparison: Comparison, row: ComparisonRow) -> str:
    """One comparison in words: which is better, or that they cannot be told apart."""
    names = {one.number: one.name for one in comparison.subjects}
    first, second = names.get(row.condition, str(row.condition)), names.get(row.reference, str(row.reference))
    family = comparison.comparisons
    at = f"at {level_percent(family.level)} ({family.test}, {family.correction})" if family else ""
    if math.isnan(row.p_corrected):
        return f"Whether {first} and {second} differ is not known{f': {sentence(row.note)}' if row.note else '.'}"
    if not row.is_different:
        return f"{first} and {second} cannot be told apart {at}."
    sign = 1.0 if comparison.objective.direction == "minimize" else -1.0
    verdict = "better" if sign * row.difference < 0 else "worse"
    difference = estimate(abs(row.difference), *_bounds(row))
    return f"{first} is {verdict} than {second} by {difference} {at}."


def _bounds(row: ComparisonRow) -> tuple[float, float]:
    """The interval of a difference without its sign."""
    return (row.low, row.high) if row.difference > 0 else (-row.high, -row.low)


def _kinds(subjects: Sequence[SubjectResult]) -> str:
    kinds = list(dict.fromkeys(one.kind for one in subjects))
    return joined(count(sum(one.kind == kind for one in subjects), kind) for kind in kinds)
