"""Write plots as files for a paper: PNG, SVG, PDF in a folder, of all conditions or of those with given values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rothamsted import tracking
from rothamsted.analysis.only import matching, only
from rothamsted.analysis.values import Analysis
from rothamsted.errors import StoreError, UserError
from rothamsted.publish.folder_names import folder_names
from rothamsted.reporting.plots import PLOTS, NotApplicable, PlotOptions, render_files

MOST_OF_NAME = 100  # characters of a sweep's name in that of a file: file systems take 255 bytes
PICTURES = ("samples", "pictures")  # folders of a run in which studies keep pictures


@dataclass(frozen=True, kw_only=True)
class WrittenFigure:
    """Names one plot that was written, or says why it was not.

    Attributes:
        plot: its name.
        paths: one a format; empty where it was not written.
        text: its caption, or why there is none.
    """

    plot: str
    paths: tuple[Path, ...]
    text: str


def write_figures(
    analysis: Analysis,
    folder: Path,
    *,
    plots: Sequence[str],
    formats: Sequence[str],
    where: Mapping[str, str],
    options: PlotOptions,
    width_mm: float | None = None,
) -> list[WrittenFigure]:
    """Write plots to files of a folder, which is made where missing: SWEEP-PLOT.pdf, with `where` in the name.

    All are drawn before the first is written.

    Args:
        analysis: Of all conditions.
        folder: Where to.
        plots: Names; none: all that apply.
        formats: of `catalog.FIGURE_FORMATS`.
        where: Parameter -> value, as it is written: only conditions with these values are drawn. Their ranks, verdicts
            and losses are still those among all conditions.
        options: What the plots show.
        width_mm: Width of each; None: that of a report's column.

    Raises:
        UserError: A plot that was named has nothing to show, or `where` names what is not there.
        StoreError: The folder cannot be written.
    """
    drawn, said = narrowed(analysis, where)
    values = [f"{name}={value}" for name, value in where.items()]
    figures, contents = [], {}
    for name in plots or list(PLOTS):
        try:
            rendered = render_files(name, drawn, formats, options=options, width_mm=width_mm)
        except NotApplicable as reason:
            if plots:
                raise UserError(f"plots={name}: {reason}") from reason
            figures.append(WrittenFigure(plot=name, paths=(), text=str(reason)))
            continue
        stem = _file_name("-".join([analysis.dataset.name[:MOST_OF_NAME], name, *values]))
        paths = {kind: folder / f"{stem}.{kind}" for kind in rendered.files}
        figures.append(WrittenFigure(plot=name, paths=tuple(paths.values()), text=rendered.caption + said))
        contents |= {paths[kind]: content for kind, content in rendered.files.items()}
    write_contents(folder, contents)
    return figures


def copy_pictures(analysis: Analysis, folder: Path, *, uri: str) -> list[WrittenFigure]:
    """Copy the PNG pictures that the best condition's first replicate kept: SWEEP-samples_epoch0.png.

    Raises:
        StoreError: The folder cannot be written, or the store does not answer.
    """
    dataset = analysis.dataset
    own = [one for one in dataset.replicates if analysis.ranking and one.condition == analysis.ranking[0]]
    first = min(own, key=lambda one: (one.phase != "search", one.number), default=None)
    if first is None or not first.run_id:
        return []
    figures, contents = [], {}
    listed = [path for below in PICTURES for path in tracking.list_files(first.run_id, below, uri=uri)]
    pictures = [path for path in listed if path.endswith(".png")]
    named = folder_names([f"{dataset.name}-{path.removesuffix('.png')}" for path in pictures])
    for path, name in zip(pictures, named.values(), strict=True):
        content = tracking.read_bytes(first.run_id, path, uri=uri)
        if content is not None:
            target = folder / f"{name}.png"
            contents[target] = content
            text = f"{path} of a replicate of the best condition, number {first.condition}, seed {first.seed}."
            figures.append(WrittenFigure(plot=path, paths=(target,), text=text))
    write_contents(folder, contents)
    return figures


def narrowed(analysis: Analysis, where: Mapping[str, str]) -> tuple[Analysis, str]:
    """Return the analysis with the conditions that have these values alone, and the sentence that says so.

    Raises:
        UserError: `where` names what is not there.
    """
    if not where:
        return analysis, ""
    kept = matching(analysis.dataset, where)
    values = ", ".join(f"{name}={value}" for name, value in where.items())
    said = f" Only conditions with {values}: {len(kept)} of {len(analysis.dataset.conditions)}."
    return only(analysis, kept), said


def write_contents(folder: Path, contents: Mapping[Path, bytes]) -> None:
    """Write files of a folder, which is made where missing.

    Raises:
        StoreError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            path.write_bytes(content)
    except OSError as error:
        raise StoreError(f"folder {folder}: cannot be written: {error.strerror}; give another") from error


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.=-]+", "-", text).strip("-")
