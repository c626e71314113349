"""List the sections of a report in their order, and say what stands where a part is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rothamsted.analysis.values import Analysis, Objective
from rothamsted.report.parts import Commands, Figure, LeftOut, Paragraph, Part, Section, facts, figures, gap, paragraphs
from rothamsted.report.sections import completion
from rothamsted.report.sections import pareto_set as pareto
from rothamsted.report.sections import promotion_verdicts as promotions
from rothamsted.report.sentences import METHODS, capital, effects_over, of_first, sentence, shares_words
from rothamsted.report.tables import of_conditions as shown_tables
from rothamsted.report.tables import of_effects as effect_tables
from rothamsted.report.verdicts import open_words, verdict_words
from rothamsted.statistics.centres import words_of
from rothamsted.wording import GAP, count, level_percent, percent, setting, with_uncertainty

PLACES = {
    "comparisons": ("forest",),
    "effects": ("trends", "sensitivity", "heatmap", "importance", "scatter", "parallel"),
    "curves": ("curves", "schedule"),
    "completion": ("outcomes",),
}  # section -> how the names of its plots begin
HEADWORD = re.compile(r"([A-Z][A-Za-z ]{2,24}):\s+(.*)")  # "Cost: 60 replicates of 0.02 s"


def sections(analysis: Analysis, drawn: Sequence[Figure | LeftOut]) -> tuple[Section, ...]:
    """Every section of the report of an analysis.

    Args:
        analysis: What is reported.
        drawn: The figures, and why others were left out, in the order in which they were asked for;
            each goes into the section that it belongs to.
    """
    places = {one.name: place_of(one.name) for one in drawn}
    if analysis.dataset.others:
        places = {name: "pareto" if name.startswith("pareto") else place for name, place in places.items()}
    names = (*PLACES, "pareto", "plots")
    placed = {name: figures([one for one in drawn if places[one.name] == name]) for name in names}
    found = (
        Section(name="question", title="Question", parts=_question(analysis)),
        Section(name="design", title="Design", parts=_design(analysis)),
        Section(
            name="completion",
            title="Completion and failures",
            parts=(*completion.completion(analysis), *placed["completion"]),
        ),
        Section(name="dependence", title="Which statements still hold", parts=paragraphs(*analysis.dependence)),
        Section(name="results", title="Results", parts=_results(analysis)),
        Section(name="pareto", title="Pareto set", parts=(*pareto.pareto_section(analysis), *placed["pareto"])),
        Section(name="confirmation", title="Confirmation on fresh seeds", parts=_confirmation(analysis)),
        Section(name="promotion", title="Promotion", parts=promotions.promotions(analysis.dataset.promotions)),
        Section(
            name="comparisons",
            title="Comparisons",
            parts=_comparisons(analysis, placed["comparisons"]),
        ),
        Section(name="effects", title="Effects of the factors", parts=(*_effects(analysis), *placed["effects"])),
        Section(name="curves", title="Learning curves", parts=_curves(analysis, placed["curves"])),
        Section(name="plots", title="More figures", parts=placed["plots"]),
        Section(name="sensitivity", title="What this sweep could have seen", parts=_sensitivity(analysis)),
        Section(name="cost", title="Cost", parts=completion.cost(analysis)),
        Section(name="provenance", title="Provenance", parts=_provenance(analysis)),
        Section(name="reproduce", title="How to reproduce", parts=_reproduce(analysis)),
        Section(name="missing", title="What else is missing", parts=_missing(analysis)),
    )
    return tuple(section for section in found if section.parts)


def place_of(name: str) -> str:
    """The section that a plot belongs to."""
    return next((place for place, starts in PLACES.items() if name.startswith(starts)), "plots")


def _question(analysis: Analysis) -> tuple[Part, ...]:
    """The sweep file's opening comment: as headed facts where its lines begin with headwords, else as it is."""
    items: list[tuple[str, str]] = []
    for line in analysis.dataset.question.splitlines():
        headed = HEADWORD.fullmatch(line.strip())
        if headed:
            items.append((headed[1], headed[2]))
        elif items and line.strip():
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
        elif line.strip():
            items.append(("", line.strip()))
    asked = [words for head, words in items if head in ("", "Question")]
    rest = [(head, words) for head, words in items if head not in ("", "Question")]
    if not items:
        return gap("No question is on record for this analysis.")
    return (*paragraphs(capital(" ".join(asked))), *facts("", rest))


def _design(analysis: Analysis) -> tuple[Part, ...]:
    dataset = analysis.dataset
    n_conditions = count(len(dataset.conditions), "condition")
    interval = METHODS.get(analysis.interval, analysis.interval)
    kept = "" if not dataset.metrics else "; on the log or logit scale where a metric has a range"
    statistics = f"{level_percent(analysis.level)} intervals ({interval}{kept})"
    items = (
        ("Objective" if not dataset.others else "First objective", _objective(dataset.objective)),
        *(("Further objective", _objective(one)) for one in dataset.others),
        ("Conditions", n_conditions),
        *((f"Factor {factor.name}", effect_tables.factor_levels(factor)) for factor in dataset.factors),
        *((name, setting(value)) for name, value in dataset.design.items()),
        ("Statistics", statistics),
    )
    return facts("The design.", items)


def _objective(one: Objective) -> str:
    """An objective in words: what it is made of, its direction, how a curve became one number."""
    better = "minimized" if one.direction == "minimize" else "maximized"
    name = f"{one.metric} = {one.expression}" if one.expression else one.metric
    over = "" if one.over == "mean" else f", the {words_of(one.over)} over seeds"
    return f"{name}, {better}, {_reduced(one.reduce)}{over}"


def _results(analysis: Analysis) -> tuple[Part, ...]:
    if not analysis.objective:
        return gap(_why(analysis, "objective", "There are no conditions to summarize."))
    parts: tuple[Part, ...] = (shown_tables.results(analysis),)
    best = next(iter(analysis.ranking), None)
    if best is None or not analysis.metrics:
        return parts
    metrics = shown_tables.metrics_table(analysis, best)
    return (*parts, metrics) if metrics.rows else parts


def _confirmation(analysis: Analysis) -> tuple[Part, ...]:
    if not analysis.confirmed:
        return gap(_why(analysis, "confirmed", "")) if "confirmed" in analysis.gaps else ()
    return (
        *paragraphs(
            "A condition that is picked because it looked best was lucky, more often than not. These were run again on "
            "seeds that the search never used and that had no part in the picking.",
            of_first(analysis, "they are shown here"),
        ),
        shown_tables.confirmed_table(analysis.confirmed, analysis),
        *([tested] if (tested := shown_tables.tested_table(analysis.confirmed, analysis)) is not None else ()),
        *(gap(capital(sentence(analysis.gaps["confirmed"]))) if "confirmed" in analysis.gaps else ()),
    )


def _comparisons(analysis: Analysis, drawn: Sequence[Part]) -> tuple[Part, ...]:
    """What is said against the best, and all conditions against the reference where one was named."""
    words = verdict_words(analysis) if analysis.ranking else ""
    said = paragraphs(f"{of_first(analysis, 'conditions are compared')} {words}".strip())
    family = analysis.comparisons
    if family is not None and family.rows:
        return (*said, *drawn, shown_tables.comparisons(analysis, family))
    if "comparisons" in analysis.gaps:
        return (*said, *drawn, *gap(_why(analysis, "comparisons", "")))
    return (*said, *drawn) or gap("There is no other condition to compare with.")


def _effects(analysis: Analysis) -> tuple[Part, ...]:
    if analysis.effects is None or not analysis.effects.rows:
        note = analysis.effects.note if analysis.effects else ""
        return gap(_why(analysis, "effects", note or "The factors were not analysed."))
    metric = analysis.dataset.objective.metric
    return (
        *paragraphs(of_first(analysis, "effects are analysed"), shares_words(analysis.effects, metric)),
        effect_tables.variance_table(analysis.effects, analysis.level, effects_over(analysis)),
        *effect_tables.means_tables(analysis.effects, metric, analysis.level),
    )


def _curves(analysis: Analysis, drawn: Sequence[Part]) -> tuple[Part, ...]:
    if drawn:
        return tuple(drawn)
    why = analysis.gaps.get("curves") or analysis.gaps.get("bands")
    return gap(capital(sentence(why)) if why else "No learning curves were asked for.")


def _sensitivity(analysis: Analysis) -> tuple[Part, ...]:
    found = analysis.detectable
    if found is None:
        return gap(_why(analysis, "detectable", "How small a difference could be seen is not known."))
    difference = with_uncertainty(found.difference, found.difference)
    return paragraphs(
        f"A condition that loses {difference} or more in {analysis.dataset.objective.metric} to the best would have "
        f"been called worse with a probability of {percent(found.power)} or more ({found.method}; "
        f"n{GAP}={GAP}{found.n} seeds each, {level_percent(found.level)}, standard deviation within a condition "
        f"{with_uncertainty(found.sd, found.sd)}). Conditions that lie closer together may differ without this sweep "
        "showing it.",
        open_words(analysis),
    )


def _provenance(analysis: Analysis) -> tuple[Part, ...]:
    dataset = analysis.dataset
    ids = (("Run", dataset.run_id), ("MLflow experiment", dataset.experiment_id))
    items = (*((name, value) for name, value in ids if value), *dataset.provenance.items())
    return facts("Where the numbers come from.", items) or gap("No provenance is on record.")


def _reproduce(analysis: Analysis) -> tuple[Part, ...]:
    lines = analysis.dataset.how_to_reproduce
    return (Commands(lines=lines),) if lines else gap("No command is on record that would make these runs again.")


SHOWN_GAPS = frozenset({"objective", "best", "confirmed", "comparisons", "effects", "curves", "bands", "detectable"})


def _missing(analysis: Analysis) -> tuple[Part, ...]:
    return tuple(
        Paragraph(text=f"{capital(name)}: {sentence(why)}", kind="gap")
        for name, why in analysis.gaps.items()
        if name not in SHOWN_GAPS
    )


def _why(analysis: Analysis, part: str, otherwise: str) -> str:
    return capital(sentence(analysis.gaps.get(part) or otherwise))


def _reduced(how: str) -> str:
    kind, _, last = how.partition(":")
    words = {"last": "the last measurement", "best": "the best measurement"}
    return words.get(kind, f"the mean of the last {last} measurements" if kind == "mean" else how)
