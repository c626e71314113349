"""Write the report of an analysis as one self-contained HTML page.

Templates, style and script are used here only; the sections know none of them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rothamsted.analysis.values import Analysis
from rothamsted.report.page.inline_svg import inline_svg
from rothamsted.report.parts import Figure, LeftOut
from rothamsted.report.plots import NotApplicable, Rendered
from rothamsted.report.sections.order import sections
from rothamsted.report.sentences import summary
from rothamsted.wording import count

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
        plots: Names of the figures, in the order in which they stand in their sections.
        render: Draws one of them as SVG; a drawing without title and caption has its name as title. Where it
            raises NotApplicable the report says why instead.
        generated_at: When, as it is to be read.
        version: Of rothamsted.

    Raises:
        ValueError: A drawing is not fit to stand in a page (see `inline_svg`).
    """
    dataset = analysis.dataset
    drawn = tuple(draw(name, render) for name in dict.fromkeys(plots))
    made_of = (count(len(dataset.conditions), "condition"), count(len(dataset.replicates), "replicate"))
    marks = dict.fromkeys((*dataset.marks, *analysis.marks))
    if not dataset.is_complete and not marks:
        marks = {"Not complete: these are the numbers of the replicates that had ended when the runs were read.": None}
    return fill(
        "page.html.j2",
        title=dataset.name,
        subtitle=f"{'Sweep' if dataset.kind == 'sweep' else 'Runs'}: {made_of[0]}, {made_of[1]}",
        marks=tuple(marks),
        summary=summary(analysis),
        sections=sections(analysis, drawn),
        generated_at=generated_at,
        version=version,
    )


def draw(name: str, render: Render) -> Figure | LeftOut:
    """One figure, or the reason why there is none."""
    title, caption = name.replace("_", " ").capitalize(), ""
    try:
        drawn = render(name)
    except NotApplicable as reason:
        return LeftOut(name=name, reason=str(reason))
    if isinstance(drawn, Rendered):
        drawn, title, caption = drawn.svg, drawn.title, drawn.caption
    return Figure(name=name, title=title, caption=caption, svg=inline_svg(drawn, name=name, title=title))


def fill(template: str, **values: Any) -> str:
    """Fill a template of this package: everything is escaped but drawings that were checked.

    The page's security policy allows the page's own style and its own script, known by its digest, and nothing
    else: no other script runs in it, and it fetches nothing.
    """
    script, style = _source("sort.js"), _source("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _environment().get_template(template)
    return page.render(style=Markup(style), script=Markup(script), script_digest=f"sha256-{digest}", **values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("rothamsted.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=4)
def _source(name: str) -> str:
    """A style or script of this package. Both are this package's own text, without `</`."""
    return files("rothamsted.report.page").joinpath("templates", name).read_text(encoding="utf-8").strip()
