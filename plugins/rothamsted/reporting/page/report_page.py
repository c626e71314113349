"""Write the report of an analysis as one self-contained HTML page.

Templates, style and script are used only here.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from rothamsted.analysis.commands import wrapped
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.page.inline_svg import inline_svg
from rothamsted.reporting.parts import Figure, IntervalChart, LeftOut
from rothamsted.reporting.plots import NotApplicable, PlotOptions, Rendered
from rothamsted.reporting.plots.forest import forest_data
from rothamsted.reporting.plots.forest_chart import chart_of
from rothamsted.reporting.sections.first_screen import first_screen
from rothamsted.reporting.sections.order import sections
from rothamsted.wording import count, duration

FIRST = "forest"  # the plot that the page shows as its own chart, on the first screen

Render = Callable[[str], Rendered | str]  # name of a plot -> its drawing, or its SVG alone; raises NotApplicable


def render_report(
    analysis: Analysis,
    *,
    plots: Sequence[str],
    render: Render,
    generated_at: str,
    version: str,
) -> str:
    """Write the report of an analysis as one HTML document that needs nothing else.

    Args:
        analysis: What is reported.
        plots: Names of the figures, in their order within sections.
        render: Function that draws one of them as SVG. A drawing without title and caption has its name as title. If it
            raises NotApplicable, the report says why instead.
        generated_at: Time of writing, as the page shows it.
        version: Version of rothamsted.

    Raises:
        ValueError: A drawing cannot be put into a page (see `inline_svg`).
    """
    drawn = tuple(draw(name, render) for name in dict.fromkeys(plots) if name != FIRST)
    marks = marks_of(analysis)
    return fill(
        "page.html.j2",
        title=analysis.dataset.name,
        subtitle=subtitle(analysis),
        marks=marks,
        first=first_screen(analysis, _chart(analysis)),
        summary=(),
        sections=sections(analysis, drawn),
        generated_at=generated_at,
        version=version,
    )


def marks_of(analysis: Analysis) -> tuple[str, ...]:
    """Return what must be known before any number, each once."""
    dataset = analysis.dataset
    marks = tuple(dict.fromkeys((*dataset.marks, *analysis.marks)))
    if not dataset.is_complete and not marks:
        return ("Not complete: these are the numbers of the replicates that had ended when the runs were read.",)
    return marks


def subtitle(analysis: Analysis) -> str:
    """Say what ran, and how long it took: "16 conditions, 58 replicates, 4 min of training"."""
    replicates = analysis.dataset.replicates
    known = [one.seconds for one in replicates if math.isfinite(one.seconds)]
    parts = [count(len(analysis.dataset.conditions), "condition"), count(len(replicates), "replicate")]
    parts += [f"{duration(math.fsum(known))} of training"] if known else []
    return f"{'Sweep' if analysis.dataset.kind == 'sweep' else 'Runs'}: {', '.join(parts)}"


def _chart(analysis: Analysis) -> IntervalChart | None:
    """The chart of all conditions; None where no condition has a mean."""
    try:
        return chart_of(forest_data(analysis, PlotOptions()))
    except NotApplicable:
        return None


def draw(name: str, render: Render) -> Figure | LeftOut:
    """Draw one figure, or say why there is none."""
    title, caption = name.replace("_", " ").capitalize(), ""
    try:
        drawn = render(name)
    except NotApplicable as reason:
        return LeftOut(name=name, reason=str(reason))
    if isinstance(drawn, Rendered):
        drawn, title, caption = drawn.svg, drawn.title, drawn.caption
    return Figure(name=name, title=title, caption=caption, svg=inline_svg(drawn, name=name, title=title))


def fill(template: str, **values: Any) -> str:
    """Fill a template of this package. Everything is escaped, except checked drawings.

    The page's security policy allows only the page's own style and script, by digest: no other script runs, and nothing
    is fetched.
    """
    script, style = _source("sort.js"), _source("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _environment().get_template(template)
    return page.render(style=Markup(style), script=Markup(script), script_digest=f"sha256-{digest}", **values)


def breakable(name: str) -> Markup:
    """Return a name that a narrow column may break after a dot, an underscore or a slash."""
    return Markup(re.sub(r"([._/])(?=\w)", r"\1<wbr>", str(escape(name))))


def compile_templates() -> None:
    """Compile the templates ahead, which takes as long as filling them."""
    for name in _environment().list_templates(["j2"]):
        _environment().get_template(name)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("rothamsted.reporting.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["share"] = lambda place: f"{100 * place:.2f}%"
    made.filters["breakable"] = breakable
    made.filters["wrapped"] = wrapped
    return made


@lru_cache(maxsize=4)
def _source(name: str) -> str:
    """A style or script of this package. Both are this package's own text, without `</`."""
    return files("rothamsted.reporting.page").joinpath("templates", name).read_text(encoding="utf-8").strip()
