"""Write the sections with the details: fresh seeds, reference, effects, all numbers, setup, how to reproduce."""

from __future__ import annotations

from rothamsted.analysis.values import Analysis, Objective
from rothamsted.reporting.parts import Commands, DataTable, Part, facts, folded, gap, paragraphs
from rothamsted.reporting.sentences import (
    LUCK_MEANING,
    METHODS,
    capital,
    effects_over,
    effects_words,
    luck_words,
    numbered,
    sentence,
    shares_words,
)
from rothamsted.reporting.tables import of_conditions as shown_tables
from rothamsted.reporting.tables import of_effects as effect_tables
from rothamsted.reporting.verdicts import of_first
from rothamsted.spec.comment import headed
from rothamsted.wording import GAP, count, level_percent, percent, setting, with_uncertainty

SHOWN_GAPS = frozenset({"objective", "best", "confirmed", "comparisons", "sources"})  # where the part would stand
MOST_PRINTED = 30  # rows of the other metrics on paper; statistics/metrics.csv has them all
IN_HEADER = ("", "Question", "Cost")  # of the sweep file's comment: shown above, or planned and not what ran


def confirmation(analysis: Analysis) -> tuple[Part, ...]:
    """Show how far the search's estimates are from those of fresh seeds, with the table of both."""
    missing = gap(why(analysis, "confirmed", "")) if analysis.dataset.unconfirmed else ()
    if not analysis.confirmed:
        return missing  # the first screen says that nothing was confirmed
    lucks = [(one.condition, luck_words(one)) for one in analysis.confirmed]
    said = [f"{capital(numbered(number))}: {words}" for number, words in lucks[:3] if words]
    tested = shown_tables.tested_table(analysis.confirmed, analysis)
    return (
        *paragraphs(
            f"{LUCK_MEANING} Report only the estimate on fresh seeds.",
            *said,
            of_first(analysis, "fresh seeds are shown"),
        ),
        *fold_table(shown_tables.confirmed_table(analysis.confirmed, analysis)),
        *(fold_table(tested) if tested is not None else ()),
        *missing,
    )


def comparisons(analysis: Analysis) -> tuple[Part, ...]:
    """Compare all conditions with the named reference; nothing if none was named."""
    family = analysis.comparisons
    if family is not None and family.rows:
        return (
            *paragraphs(of_first(analysis, "conditions are compared")),
            *fold_table(shown_tables.comparisons(analysis, family)),
        )
    return gap(why(analysis, "comparisons", "")) if "comparisons" in analysis.gaps else ()


def effects(analysis: Analysis) -> tuple[Part, ...]:
    """Say which factors matter."""
    if analysis.effects is None or not analysis.effects.rows:
        return ()
    metric = analysis.dataset.objective.metric
    return paragraphs(
        of_first(analysis, "effects are analysed"), effects_words(analysis), shares_words(analysis.effects, metric)
    )


def tables(analysis: Analysis) -> tuple[Part, ...]:
    """Return the analysis of variance and the means of the levels."""
    if analysis.effects is None or not analysis.effects.rows:
        return ()
    metric = analysis.dataset.objective.metric
    return folded(
        "Tables of the effects",
        (
            effect_tables.variance_table(analysis.effects, analysis.level, effects_over(analysis)),
            *effect_tables.means_tables(analysis.effects, metric, analysis.level),
        ),
    )


def sensitivity(analysis: Analysis) -> tuple[Part, ...]:
    """Say the smallest loss that these replicates would have shown."""
    found = analysis.detectable
    if found is None:
        return ()
    difference = with_uncertainty(found.difference, found.difference)
    return paragraphs(
        f"A condition that loses {difference} or more in {analysis.dataset.objective.metric} to the best would be "
        f"called worse with a probability of {percent(found.power)} or more. Conditions that lie closer together may "
        f"differ without this sweep showing it. (Found for {found.method}, with n{GAP}={GAP}{found.n} seeds each, "
        f"{level_percent(found.level)} confidence and a standard deviation within a condition of "
        f"{with_uncertainty(found.sd, found.sd)}.)",
    )


def results(analysis: Analysis) -> tuple[Part, ...]:
    """Return the table of all conditions, and the other metrics of the best."""
    if not analysis.objective:
        return gap(why(analysis, "objective", "There are no conditions to summarize."))
    parts: tuple[Part, ...] = fold_table(shown_tables.results(analysis), is_printed=False)
    best = next(iter(analysis.ranking), None)
    if best is None or not analysis.metrics:
        return parts
    metrics = shown_tables.metrics_table(analysis, best)
    return (*parts, *fold_table(metrics, is_printed=len(metrics.rows) <= MOST_PRINTED)) if metrics.rows else parts


def setup(analysis: Analysis) -> tuple[Part, ...]:
    """Show what the sweep file says: expectation and source, objective, design, and how intervals are made."""
    dataset = analysis.dataset
    interval = METHODS.get(analysis.interval, analysis.interval)
    kept = "; on the log or logit scale if the metric has a range" if dataset.metrics else ""
    items = (
        *((head, words) for head, words in headed(dataset.question) if head not in IN_HEADER),
        ("Objective" if not dataset.others else "First objective", _objective(dataset.objective)),
        *(("Further objective", _objective(one)) for one in dataset.others),
        *((f"Factor {factor.name}", effect_tables.factor_levels(factor)) for factor in dataset.factors),
        *((name, setting(value)) for name, value in dataset.design.items()),
        ("Intervals", f"{level_percent(analysis.level)}, {interval}{kept}"),
    )
    return facts("", items)


def provenance(analysis: Analysis) -> tuple[Part, ...]:
    """Run, commit, data, host."""
    dataset = analysis.dataset
    ids = (("Run", dataset.run_id), ("MLflow experiment", dataset.experiment_id))
    return facts("", (*((name, value) for name, value in ids if value), *dataset.provenance.items()))


def reproduce(analysis: Analysis) -> tuple[Part, ...]:
    """Return the commands that make these runs again."""
    lines = analysis.dataset.how_to_reproduce
    if not lines:
        return gap("No command is on record that would make these runs again.")
    return (
        *paragraphs("Run this in the project's folder, with MLflow's tracking store set as it was for this sweep."),
        Commands(lines=lines),
    )


def fold_table(table: DataTable, *, is_printed: bool = True) -> tuple[Part, ...]:
    """Fold a table away under the words of its caption, with how many rows it has."""
    return folded(
        f"Table: {table.caption.split('.')[0]} ({count(len(table.rows), 'row')})", (table,), is_printed=is_printed
    )


def why(analysis: Analysis, part: str, otherwise: str) -> str:
    """Say why a part is missing, as a sentence."""
    return capital(sentence(analysis.gaps.get(part) or otherwise))


def _objective(one: Objective) -> str:
    """An objective in words: what it is made of, its direction, how a curve became one number."""
    better = "minimized" if one.direction == "minimize" else "maximized"
    name = f"{one.metric} = {one.expression}" if one.expression else one.metric
    return f"{name}, {better}, {_reduced(one.reduce)}"


def _reduced(how: str) -> str:
    kind, _, last = how.partition(":")
    words = {"last": "the last measurement", "best": "the best measurement"}
    return words.get(kind, f"the mean of the last {last} measurements" if kind == "mean" else how)
