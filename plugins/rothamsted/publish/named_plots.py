"""Draw the plots of a file of names as PNG files under the names that an older program expects."""

from __future__ import annotations

from pathlib import Path

from rothamsted.analysis.values import Analysis
from rothamsted.catalog import PLOTS
from rothamsted.errors import UserError
from rothamsted.publish.export import METRIC, NamedPlot, Names
from rothamsted.publish.figures import WrittenFigure, write_contents
from rothamsted.publish.folder_names import folder_names
from rothamsted.registries import NameOf
from rothamsted.reporting.plots import NotApplicable, PlotOptions, render_files
from rothamsted.reporting.plots.outcomes import OF_ALL
from rothamsted.reporting.plots.render import RenderedFiles

FOLDER = "plots"
COMPLETION = "completion"  # outcomes of all conditions, also where nothing was lost: of no report


def write_named_plots(analysis: Analysis, folder: Path, names: Names) -> list[WrittenFigure]:
    """Draw the plots of a file of names into `plots/` of a folder; one that does not apply is not written.

    Raises:
        UserError: No such plot, parameter or metric.
        StoreError: The folder cannot be written.
    """
    wanted = [(file, one, metric) for file, one in names.plots.items() for metric in one.metrics or (None,)]
    stems = [file.replace(METRIC, names.of(metric or "")) for file, _, metric in wanted]
    named = folder_names(stems)
    figures, contents = [], {}
    for stem, (_, one, metric) in zip(stems, wanted, strict=True):
        try:
            content = _drawn(analysis, one, metric)
        except NotApplicable as reason:
            figures.append(WrittenFigure(plot=stem, paths=(), text=str(reason)))
            continue
        path = folder / FOLDER / f"{named[stem]}.png"
        figures.append(WrittenFigure(plot=stem, paths=(path,), text=content.caption))
        contents[path] = content.files["png"]
    write_contents(folder / FOLDER, contents)
    return figures


def _drawn(analysis: Analysis, one: NamedPlot, metric: str | None) -> RenderedFiles:
    options = PlotOptions(metric=metric, x=one.x, group=one.group)
    if one.plot == COMPLETION:
        return render_files(COMPLETION, analysis, ["png"], options=options, plot=OF_ALL)
    if reason := NameOf(PLOTS, also=(COMPLETION,)).refusal(one.plot):
        raise UserError(f"export_names: plots: plot={one.plot}: {reason}")
    return render_files(one.plot, analysis, ["png"], options=options)
