"""List the sections of a report below its first screen, in their order.

A new section is one function of `Shown`, which returns parts (none: no section), and one row of SECTIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.glossary import TERMS
from rothamsted.reporting.parts import Figure, LeftOut, Paragraph, Part, Section, facts, figures, folded, paragraphs
from rothamsted.reporting.sections import completion, details
from rothamsted.reporting.sections import pareto_set as pareto
from rothamsted.reporting.sections import promotion_verdicts as promotions
from rothamsted.reporting.sections import tasks as over_tasks
from rothamsted.reporting.sections.variance_sources import variance_sources
from rothamsted.reporting.sentences import capital, sentence
from rothamsted.wording import count

PLACES = {
    "comparisons": ("differences",),
    "effects": ("trends", "sensitivity", "heatmap", "importance", "scatter", "parallel"),
    "curves": ("curves", "schedule"),
    "tasks": ("task_profiles", "critical_difference", "improvement"),
    "run": ("outcomes",),
}  # section -> how the names of its plots begin
GAPS = {
    "effects": "Effects of the factors",
    "curves": "Learning curves",
    "bands": "Learning curves",
    "detectable": "How small a difference could be seen",
    "pareto": "How sure the Pareto set is",
}  # part of an analysis -> what a reader calls it
# Plots that are not folded away.
IN_SIGHT = ("trends", "heatmap", "curves", "differences", "outcomes", "critical_difference")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Holds what a section is made from."""

    analysis: Analysis
    placed: Mapping[str, Sequence[Figure]]  # section -> its figures
    left_out: Sequence[LeftOut]  # plots that do not apply

    def drawn(self, section: str) -> tuple[Part, ...]:
        """Return the figures of a section: the main ones in sight, the others folded away."""
        own = self.placed.get(section, ())
        seen = [one for one in own if one.name.partition("-")[0] in IN_SIGHT or section == "pareto"]
        rest = [one for one in own if one not in seen]
        more = "more " if seen else ""
        return (*seen, *folded(count(len(rest), f"{more}figure"), rest, is_printed=False))


@dataclass(frozen=True, kw_only=True)
class SectionRow:
    """Describes one section: its anchor, its title, and the function that writes it."""

    name: str
    title: str  # empty: its parts have titles of their own
    parts: Callable[[Shown], tuple[Part, ...]]


def _tasks(shown: Shown) -> tuple[Part, ...]:
    """Conditions over tasks; where there are none, no word on plots that do not apply."""
    parts = over_tasks.tasks_section(shown.analysis)
    return (*parts, *shown.drawn("tasks")) if parts else ()


def _missing(shown: Shown) -> tuple[Part, ...]:
    """What is missing and is said nowhere else, and the plots that do not apply."""
    found = tuple(
        Paragraph(text=f"{GAPS.get(name, capital(name))}: {sentence(why)}", kind="gap")
        for name, why in shown.analysis.gaps.items()
        if name not in details.SHOWN_GAPS
    )
    return (*found, *figures(shown.left_out))


SECTIONS = (
    SectionRow(name="confirmation", title="On fresh seeds", parts=lambda shown: details.confirmation(shown.analysis)),
    SectionRow(
        name="pareto",
        title="Pareto set",
        parts=lambda shown: (*pareto.pareto_section(shown.analysis), *shown.drawn("pareto")),
    ),
    SectionRow(
        name="variance", title="What the intervals are about", parts=lambda shown: variance_sources(shown.analysis)
    ),
    SectionRow(name="tasks", title="Over tasks", parts=_tasks),
    SectionRow(
        name="comparisons",
        title="Compared with the reference",
        parts=lambda shown: (*shown.drawn("comparisons"), *details.comparisons(shown.analysis)),
    ),
    SectionRow(
        name="effects",
        title="Effects of the factors",
        parts=lambda shown: (
            *details.effects(shown.analysis),
            *shown.drawn("effects"),
            *details.tables(shown.analysis),
        ),
    ),
    SectionRow(
        name="curves",
        title="Learning curves",
        parts=lambda shown: shown.drawn("curves"),
    ),
    SectionRow(
        name="promotion",
        title="Promotion",
        parts=lambda shown: promotions.promotions(shown.analysis.dataset.promotions),
    ),
    SectionRow(
        name="dependence",
        title="Which statements still hold",
        parts=lambda shown: paragraphs(*shown.analysis.dependence),
    ),
    SectionRow(
        name="sensitivity",
        title="How small a difference could be seen",
        parts=lambda shown: details.sensitivity(shown.analysis),
    ),
    SectionRow(name="results", title="All numbers", parts=lambda shown: details.results(shown.analysis)),
    SectionRow(name="plots", title="More figures", parts=lambda shown: shown.drawn("plots")),
    SectionRow(
        name="run",
        title="What was run",
        parts=lambda shown: (
            *completion.completion(shown.analysis),
            *shown.drawn("run"),
            *completion.cost(shown.analysis),
            *folded("Setup", details.setup(shown.analysis)),
        ),
    ),
    SectionRow(
        name="reproduce",
        title="How to reproduce",
        parts=lambda shown: (
            *details.reproduce(shown.analysis),
            *folded("Where the numbers come from", details.provenance(shown.analysis)),
        ),
    ),
    SectionRow(name="missing", title="", parts=lambda shown: folded("What is not shown, and why", _missing(shown))),
    SectionRow(name="words", title="", parts=lambda _: folded("What the terms mean", facts("", TERMS.items()))),
)


def sections(analysis: Analysis, drawn: Sequence[Figure | LeftOut]) -> tuple[Section, ...]:
    """Return every section of the report of an analysis, those without parts left out.

    Args:
        analysis: What is reported.
        drawn: The figures, and why others were left out, in their order. Each goes into its section.
    """
    placed: dict[str, list[Figure]] = {}
    for one in drawn:
        if isinstance(one, Figure):
            is_pareto = bool(analysis.dataset.others) and one.name.startswith("pareto")
            placed.setdefault("pareto" if is_pareto else place_of(one.name), []).append(one)
    left_out = [one for one in drawn if isinstance(one, LeftOut)]
    shown = Shown(analysis=analysis, placed=placed, left_out=left_out)
    found = (Section(name=row.name, title=row.title, parts=row.parts(shown)) for row in SECTIONS)
    return tuple(section for section in found if section.parts)


def place_of(name: str) -> str:
    """Return the section that a plot belongs to."""
    return next((place for place, starts in PLACES.items() if name.startswith(starts)), "plots")
