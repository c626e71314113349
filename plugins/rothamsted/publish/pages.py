"""Draw the report and the comparison, log them to their run, and copy them to a folder on request."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from rothamsted import __version__
from rothamsted.analysis.curves import default_curves
from rothamsted.analysis.values import Analysis
from rothamsted.errors import StoreError
from rothamsted.publish.figures import narrowed
from rothamsted.publish.published import REPORT as REPORT
from rothamsted.reporting.page.report_page import FIRST, render_report
from rothamsted.reporting.plots import PLOTS, NotApplicable, PlotOptions, Rendered, render, render_files
from rothamsted.reporting.plots.side_by_side import SideBySide
from rothamsted.tracking import Recorder

PICTURE = "report/intervals.png"
PICTURE_DPI = 110  # about 750 pixels wide, as wide as a description
INTERVALS = "forest"  # the plot of it
CURVES = "curves"  # the plot of the objective's, and in `name-N` of a further metric's


@dataclass(frozen=True, kw_only=True)
class DrawnReport:
    """Holds a report: its page, and the chart of intervals as a PNG.

    Empty: not asked for, or there is nothing to draw.
    """

    page: str
    picture: bytes


def report_html(
    analysis: Analysis,
    *,
    plots: Sequence[str] = (),
    options: PlotOptions | None = None,
    where: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Write the report of an analysis; see `begun_report`."""
    with begun_report(analysis, plots=plots, options=options, where=where) as finish:
        return finish().page


@contextmanager
def begun_report(
    analysis: Analysis,
    *,
    plots: Sequence[str] = (),
    options: PlotOptions | None = None,
    where: Mapping[str, str] = MappingProxyType({}),
    has_picture: bool = False,
) -> Iterator[Callable[[], DrawnReport]]:
    """Begin the report of an analysis; other processes draw its plots if possible.

    Curves of metrics that were asked for follow those of the objective, each in its own figure.

    Args:
        analysis: Of all conditions.
        plots: Names; none: every plot that applies.
        options: What the plots show.
        where: Parameter -> value, as it is written: the plots show conditions with these values alone, and say so.
        has_picture: With the chart of intervals as a picture.

    Yields:
        A function that draws the rest, and gives the page and the picture.

    Raises:
        UserError: `where` names what is not there.
    """
    chosen = options or PlotOptions()
    narrow, said = narrowed(analysis, where)
    names = list(plots) or [name for name, _ in PLOTS.items()]
    further = {f"{CURVES}-{n}": metric for n, metric in enumerate(_further_curves(analysis), start=1)}
    if CURVES in names:
        at = names.index(CURVES) + 1
        names[at:at] = list(further)

    def drawn(name: str) -> Rendered | NotApplicable | bytes:
        if name == PICTURE:
            return picture_of(analysis)
        try:
            if name not in further:
                found = render(name, narrow, chosen)
            else:
                found = render(CURVES, narrow, replace(chosen, metric=further[name]))
                found = replace(found, name=name, title=f"{found.title}: {further[name]}")
        except NotApplicable as reason:
            return reason
        return replace(found, caption=found.caption + said)

    drawings = [*([PICTURE] if has_picture else []), *(name for name in dict.fromkeys(names) if name != FIRST)]
    with SideBySide(do=drawn, names=drawings) as drawing:

        def finish() -> DrawnReport:
            figures, at = drawing.results(), now_text()
            page = render_report(
                analysis, plots=names, render=lambda name: _shown(figures[name]), generated_at=at, version=__version__
            )
            picture = figures.get(PICTURE)
            return DrawnReport(page=page, picture=picture if isinstance(picture, bytes) else b"")

        yield finish


def _shown(drawn: Any) -> Rendered:
    if isinstance(drawn, NotApplicable):
        raise drawn
    return drawn


def _further_curves(analysis: Analysis) -> list[str]:
    """The metrics with curves beyond those that are read without being asked for."""
    usual = default_curves(analysis.dataset.objective.metric, {*analysis.metrics, *analysis.bands})
    return [name for name in analysis.bands if name not in usual]


def write_page(recorder: Recorder, run_id: str, html: str, path: str = REPORT) -> None:
    """Log a page to a run, where the MLflow UI shows it."""
    recorder.log_text(run_id, html, path)


def write_picture(recorder: Recorder, analysis: Analysis, run_id: str) -> str:
    """Log the chart of intervals to a run; returns its address within MLflow's UI, empty where nothing can be drawn.

    A PNG, as the UI's server gives an SVG file no type that a browser draws.
    """
    drawn = picture_of(analysis)
    if not drawn:
        return ""
    log_picture(recorder, run_id, drawn)
    return picture_address(analysis, run_id)


def picture_of(analysis: Analysis) -> bytes:
    """Draw the chart of intervals as a PNG; return nothing if nothing can be drawn."""
    try:
        return render_files(INTERVALS, analysis, ["png"], dpi=PICTURE_DPI).files["png"]
    except NotApplicable:
        return b""


def picture_address(analysis: Analysis, run_id: str) -> str:
    """Say where MLflow's UI finds the chart of intervals of a run; empty if nothing can be drawn."""
    try:
        PLOTS[INTERVALS].data(analysis, PlotOptions())
    except NotApplicable:
        return ""
    return f"get-artifact?path={quote(PICTURE, safe='')}&run_uuid={run_id}"


def log_picture(recorder: Recorder, run_id: str, picture: bytes) -> None:
    """Log the chart of intervals to a run; nothing where it is empty."""
    if not picture:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PICTURE.rpartition("/")[2]
        path.write_bytes(picture)
        recorder.log_file(run_id, path, PICTURE.rpartition("/")[0])


def copy_page(html: str, folder: Path, name: str) -> Path:
    """Write a page to a folder, which is made where missing; returns its path.

    Raises:
        StoreError: The folder cannot be written.
    """
    path = folder / (re.sub(r"[^\w.-]+", "-", name).strip("-") + ".html")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"folder {folder}: cannot write {path.name}: {error.strerror}; give another") from error
    return path


def now_text() -> str:
    """Return the time of day in UTC, as pages show it."""
    return datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
