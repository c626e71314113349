"""Show a comparison of runs or sweeps as a page, and as a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rothamsted import __version__
from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.read_compared import Subject
from rothamsted.analysis.search_scores import curves_of
from rothamsted.analysis.values import Dataset
from rothamsted.publish.description import estimate_text
from rothamsted.publish.pages import now_text
from rothamsted.reporting.page.compare_page import Comparison, SubjectResult, render_comparison
from rothamsted.reporting.plots import render
from rothamsted.statistics.centres import MEAN, words_of
from rothamsted.wording import estimate, number, p_value

PLOTS = ("curves", "curves_by_time", "differences", "expected_best")


def comparison_html(dataset: Dataset, subjects: Sequence[Subject], settings: Settings) -> str:
    """Write the page of a comparison."""
    analysis = analyze(dataset, settings)
    summaries = {summary.condition: summary for summary in analysis.objective}
    metrics = {
        number: {name: of_metric[number] for name, of_metric in analysis.metrics.items()}
        for number in range(len(subjects))
    }
    comparison = Comparison(
        title=dataset.name,
        objective=dataset.objective,
        level=settings.level,
        subjects=tuple(
            SubjectResult(
                number=number,
                name=found.name,
                kind=found.kind,
                run_id=found.run_id,
                parameters=found.parameters,
                objective=summaries[number] if summaries[number].n else None,
                metrics=metrics[number],
                about=found.about,
            )
            for number, found in enumerate(subjects)
        ),
        comparisons=analysis.comparisons,
        gaps=analysis.gaps,
        marks=analysis.marks,
        how_to_reproduce=(f"mlflow run . -e compare -P runs={','.join(found.run_id for found in subjects)}",),
    )
    return render_comparison(
        comparison,
        plots=PLOTS,
        render=lambda name: render(name, analysis),
        generated_at=now_text(),
        version=__version__,
    )


def over_text(dataset: Dataset) -> str:
    """Return ', median over seeds' or another number's name if it is not the mean; else empty."""
    over = dataset.objective.over
    return "" if over == MEAN else f", {words_of(over)} over seeds"


def comparison_text(dataset: Dataset, settings: Settings) -> str:
    """Write means with intervals, and each difference from the reference, for the terminal."""
    analysis = analyze(dataset, settings)
    labels = {condition.number: condition.label for condition in dataset.conditions}
    lines = [
        f"{dataset.objective.metric} ({dataset.objective.direction}, {dataset.objective.reduce}{over_text(dataset)})"
    ]
    lines += [f"  {labels[s.condition]}: {estimate_text(s.interval, s)}" for s in analysis.objective]
    lines += [*analysis.marks, *_expected_best(dataset)]
    if analysis.comparisons is None:
        return "\n".join([*lines, f"not compared: {analysis.gaps.get('comparisons', '')}"])
    found = analysis.comparisons
    lines.append(f"differences from {labels[found.reference]} ({found.test}, {found.correction}):")
    for row in found.rows:
        difference = estimate(row.difference, row.low, row.high)
        lines.append(
            f"  {labels[row.condition]}: {difference}, {p_value(row.p_corrected)}, n = {row.n}"
            + (f" ({row.note})" if row.note else "")
        )
    if found.why_unpaired:
        lines.append(f"not paired: {found.why_unpaired}")
    return "\n".join(lines)


def _expected_best(dataset: Dataset) -> list[str]:
    """The expected best of each random search after as many conditions as the smallest of them has."""
    curves, without = curves_of(dataset.searches, dataset.objective.direction)
    if len(dataset.searches) < 2:
        return []
    lines = [f"  {name}: no expected best ({why})" for name, why in without.items()]
    if len(curves) > 1:
        n = min(one.n for one in curves.values())
        lines.append(f"expected best {dataset.objective.metric} of {n} random conditions (the search's own means):")
        for name, one in curves.items():
            at = int(one.budgets.searchsorted(n, side="right")) - 1
            lines.append(f"  {name}: {number(float(one.expected[at]))}")
    return lines
