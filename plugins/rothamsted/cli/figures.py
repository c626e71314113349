"""Write plots of finished runs as files for a paper: `rothamsted report --sweep NAME --format pdf`.

Only the run that `mlflow run` opens around the command records them: it gets the files.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from rothamsted import tags, tracking
from rothamsted.catalog import FIGURE_FORMATS, PLOTS
from rothamsted.cli.arguments import take
from rothamsted.cli.settings import (
    names_of,
    open_named,
    take_dataset,
    take_number,
    take_plot_options,
    take_settings,
)
from rothamsted.errors import UserError
from rothamsted.places import FIGURES, output_folder
from rothamsted.printable import console as new_console
from rothamsted.registries import NameOf

SIZES = (50, 500)  # mm


def take_plots(found: dict[str, str], command: str) -> list[str]:
    """Take the plots of `plots=`; empty for all that apply.

    Raises:
        UserError: A name that no plot has; the text has the nearest and all others.
    """
    names, taken = names_of(take(found, "plots")), NameOf(PLOTS)
    for name in names:
        if name != "all" and (reason := taken.refusal(name)):
            raise UserError(f"rothamsted {command}: plots={name}: {reason}")
    return [] if "all" in names else names


def figures(found: dict[str, str]) -> int:
    """Write the figures that the keys of the command `report` ask for, and print their captions.

    Args:
        found: The keys, `format` among them.
    """
    formats, plots = _formats(found), take_plots(found, "report")
    given, where, width_mm = take(found, "folder"), take_where(found), _size(found)
    asked = take_settings(found, "report")
    uri = open_named(found)

    options = take_plot_options(found, "report")
    dataset = take_dataset(found, "report", uri=uri, has_samples=options.axis == "samples", where=where)

    from rothamsted.analysis.analyze import analyze, settings_of
    from rothamsted.publish.figures import copy_pictures, write_figures

    analysis = analyze(dataset, replace(settings_of(dataset.statistics), **asked))
    folder = output_folder(given, usual=FIGURES, tracking_uri=uri)
    written = write_figures(
        analysis, folder, plots=plots, formats=formats, where=where, options=options, width_mm=width_mm
    )
    if "png" in formats and not plots and not where:
        written += copy_pictures(analysis, folder, uri=uri)
    outer = tracking.current_run_id()
    if outer is not None:
        with tracking.open_recorder(uri) as recorder:
            recorder.log(outer, tags={tags.ROLE: "summary"})
            for path in (path for figure in written for path in figure.paths):
                recorder.log_file(outer, path, "figures")
    console = new_console()
    for figure in written:
        what = (
            f"{', '.join(map(str, figure.paths))}\n  {figure.text}"
            if figure.paths
            else f"no {figure.plot}: {figure.text}"
        )
        console.print(what, markup=False, highlight=False, soft_wrap=True)
    return 0


def _formats(found: dict[str, str]) -> list[str]:
    formats = list(dict.fromkeys(names_of(take(found, "format"))))
    for one in formats:
        if one not in FIGURE_FORMATS:
            raise UserError(f"rothamsted report: format={one} is not known; there are: {', '.join(FIGURE_FORMATS)}")
    return formats


def take_where(found: dict[str, str]) -> Mapping[str, str]:
    """Take the conditions that are drawn: `gamma=1 "name=a b"` as {"gamma": "1", "name": "a b"}."""
    text = take(found, "where") or ""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"rothamsted report: where={text}: a quotation mark is not closed; close it") from error
    values: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name or not value:
            raise UserError(f"rothamsted report: where={text}: '{word}' is not NAME=VALUE; write gamma=1 batch_size=64")
        if name in values:
            raise UserError(f"rothamsted report: where={text}: {name} is given twice; give it once")
        values[name] = value
    return values


def _size(found: dict[str, str]) -> float | None:
    if take(dict(found), "size") is None:
        found.pop("size", None)
        return None
    size = take_number(found, "size", float, "report")
    if not SIZES[0] <= size <= SIZES[1]:
        raise UserError(f"rothamsted report: size={size:g} must be a width in mm from {SIZES[0]} to {SIZES[1]}")
    return size
