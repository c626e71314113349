"""Draw a heatmap: the metric over two factors, with the best cell and those that cannot be ruled out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rothamsted.analysis.values import Analysis, Factor
from rothamsted.reporting.plots.axes import LOG_SPAN, FactorAxis, draw_factor, factor_axis, is_spread, log_ticks
from rothamsted.reporting.plots.contract import NotApplicable, Over, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.crossing import axis_and_group, cell_score, cells, is_shared, over_words
from rothamsted.reporting.plots.labels import distinct_numbers, fixed_numbers, named, number, percent
from rothamsted.reporting.plots.look import BLACK, FONT, SMALL, sized
from rothamsted.reporting.plots.view import (
    Score,
    is_lower_better,
    metric_label,
    metric_of,
    n_diverged,
    reduced_label,
    scores,
    varying,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LEVELS = 40  # on either side
LOG_COLOURS = 4.0  # minimised values that span more than this factor are coloured by their logarithm
LEAST_FILLED = 0.4  # of all cells: below it the picture is a scatter of single cells
MOST_WRITTEN = 60  # cells that carry their number


@dataclass(frozen=True, kw_only=True)
class Heatmap:
    """Holds one number a cell; rows are levels of y, columns levels of x."""

    label: str  # of the metric
    x: FactorAxis
    y: FactorAxis
    values: np.ndarray  # (y, x) NaN where there is no finite mean
    is_best: np.ndarray  # (y, x) bool: holds the best condition
    is_tied: np.ndarray  # (y, x) bool: holds one that cannot be ruled out as the best, the winner included
    is_diverged: np.ndarray  # (y, x) bool: a replicate of the condition (of any, where values are means) diverged
    is_empty: np.ndarray  # (y, x) bool: no condition there
    is_log: bool  # the colours
    bright: Literal["smaller", "larger"]  # which values are bright: the better ones of the objective
    is_objective: bool
    others: tuple[str, ...]
    over: Over
    level: float
    n_tied: int
    n_outside: int  # conditions to which one of the two factors does not apply
    objective: str  # by which the best is the best
    centre: str = "mean"  # what stands for a condition over its seeds


def heatmap_data(analysis: Analysis, options: PlotOptions) -> Heatmap:
    """Sort conditions into cells; see `cells` and `cell_score`.

    Raises:
        NotApplicable: Fewer than two factors vary, levels are not shared, or too few cells are filled.
    """
    metric = metric_of(analysis, options.metric)
    x_factor, y_factor = _two_factors(analysis, options)
    known = scores(analysis, metric)
    everything = cells(analysis, [y_factor, x_factor], [c.number for c in analysis.dataset.conditions])
    x, y = factor_axis(x_factor, as_category=True), factor_axis(y_factor, as_category=True)
    _require_surface(x, y, len(everything))
    others = tuple(f.name for f in varying(analysis) if f not in (x_factor, y_factor))
    filled = _fill(analysis, known, everything, (x, y), options.over, is_marked=options.over == "best" or not others)
    is_objective = metric == analysis.dataset.objective.metric
    bright = "smaller" if is_objective and is_lower_better(analysis) else "larger"
    return Heatmap(
        label=metric_label(analysis, metric),
        x=x,
        y=y,
        **filled,
        is_log=is_spread(filled["values"], LOG_COLOURS if bright == "smaller" else LOG_SPAN),
        bright=bright,
        is_objective=is_objective,
        others=others,
        over=options.over,
        level=analysis.level,
        n_tied=int(filled["is_tied"].sum()),
        n_outside=len(analysis.dataset.conditions) - sum(len(numbers) for numbers in everything.values()),
        objective=reduced_label(analysis, analysis.dataset.objective.metric),
        centre=analysis.over_words,
    )


def _fill(
    analysis: Analysis,
    known: dict[int, Score],
    everything: dict[tuple[Any, ...], list[int]],
    axes: tuple[FactorAxis, FactorAxis],
    over: Over,
    *,
    is_marked: bool,
) -> dict[str, Any]:
    """Fill the fields of a heatmap that hold one number or mark a cell."""
    x, y = axes
    shape, diverged = (len(y.keys), len(x.keys)), n_diverged(analysis)
    is_best, is_tied, is_diverged = (np.zeros(shape, dtype=bool) for _ in range(3))
    values, is_empty = np.full(shape, np.nan), np.ones(shape, dtype=bool)
    for (y_key, x_key), numbers in everything.items():
        at = y.keys.index(y_key), x.keys.index(x_key)
        is_empty[at] = False
        scored = [number for number in numbers if number in known]
        if scored:
            values[at] = cell_score(scored, known, over).mean
        shown = numbers if over == "mean" else (scored or numbers)[:1]
        is_diverged[at] = any(diverged.get(number, 0) for number in shown)
        if analysis.best is not None and is_marked:
            is_best[at] = analysis.best.winner in shown
            is_tied[at] = any(number in analysis.best.members for number in shown)
    return {
        "values": values,
        "is_best": is_best,
        "is_tied": is_tied,
        "is_diverged": is_diverged,
        "is_empty": is_empty,
    }


def _two_factors(analysis: Analysis, options: PlotOptions) -> tuple[Factor, Factor]:
    n = len(varying(analysis))
    if n < 2:
        raise NotApplicable(f"a heatmap needs two factors; here {n} varies: the plot 'trends' shows it")
    x, y = axis_and_group(analysis, options)
    if y is None or y.name == x.name or not is_shared(analysis, x):
        raise NotApplicable("a heatmap needs two different factors whose levels conditions share; see 'scatter'")
    return x, y


def _require_surface(x: FactorAxis, y: FactorAxis, n_filled: int) -> None:
    n_cells = len(x.keys) * len(y.keys)
    if max(len(x.keys), len(y.keys)) > MOST_LEVELS:
        raise NotApplicable(f"{len(x.keys)} x {len(y.keys)} levels are too many cells to read; see 'scatter'")
    if n_filled < LEAST_FILLED * n_cells:
        raise NotApplicable(f"conditions fill {n_filled} of {n_cells} cells: not a grid; see 'scatter'")


def heatmap_draw(data: Heatmap, figure: Figure) -> None:
    """Draw cells, their numbers where they fit, hatches for divergence, frames for the best."""
    from matplotlib.patches import Rectangle

    sized(figure, min(1.7 + 0.42 * len(data.y.keys), 7.0))
    axes = figure.subplots()
    axes.grid(visible=False)
    image = _surface(axes, data)
    for row, column in np.argwhere(~data.is_empty & ~np.isfinite(data.values)):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#E4E4E4", edgecolor="none"))
    for row, column in np.argwhere(data.is_diverged):
        box = {"facecolor": "none", "edgecolor": "#555555", "hatch": "////", "linewidth": 0}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **box))
    if has_room(data):
        _write_values(axes, data, image)
        _frame(axes, data)
    else:
        _dot(axes, data)
    draw_factor(axes, "x", data.x)
    draw_factor(axes, "y", data.y)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if image is not None:
        _colour_bar(figure, axes, image, data)


def has_room(data: Heatmap) -> bool:
    """Say whether cells are few enough to carry numbers and frames."""
    return int((~data.is_empty).sum()) <= MOST_WRITTEN and data.values.shape[1] <= 12


def _surface(axes: Any, data: Heatmap) -> Any:
    """Colour the cells, bright is good; None where no cell has a value."""
    from matplotlib.colors import LogNorm, Normalize

    is_finite = np.isfinite(data.values)
    ranked = is_finite & ~data.is_diverged  # half-diverged cells, a hundred decades off, do not set the scale
    finite = data.values[ranked if ranked.any() else is_finite]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    norm = LogNorm(low, high) if data.is_log else Normalize(low, high)
    edges_x, edges_y = np.arange(data.values.shape[1] + 1) - 0.5, np.arange(data.values.shape[0] + 1) - 0.5
    return axes.pcolormesh(
        edges_x,
        edges_y,
        np.ma.masked_invalid(data.values),
        norm=norm,
        cmap="viridis_r" if data.bright == "smaller" else "viridis",
        edgecolors="white",
        linewidth=1.0,
    )


def cell_texts(data: Heatmap) -> np.ndarray:
    """Return the text of each cell, (y, x): equal decimals in all cells, or two digits each if values span decades.

    If the largest is a hundred times the smallest, its decimals would round the smallest to 0.
    """
    flat = data.values.ravel().tolist()
    written = [number(value, 2) for value in flat] if data.is_log else fixed_numbers(flat)
    return np.array(written, dtype=object).reshape(data.values.shape)


def _write_values(axes: Any, data: Heatmap, image: Any) -> None:
    texts = cell_texts(data)
    for (row, column), value in np.ndenumerate(data.values):
        if data.is_empty[row, column]:
            continue
        if np.isfinite(value):
            red, green, blue, _ = image.to_rgba(value)
            dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.45
            ground = {"facecolor": image.to_rgba(value), "edgecolor": "none", "pad": 1.0}
            style = {"color": "white" if dark else "black", "fontsize": SMALL}
            if data.is_diverged[row, column]:
                style["bbox"] = ground
            text = texts[row, column]
        else:
            text = "diverged" if data.is_diverged[row, column] else "no score"
            style = {
                "color": "#333333",
                "fontsize": SMALL,
                "bbox": {"facecolor": "#E4E4E4", "edgecolor": "none", "pad": 1},
            }
            text = text if data.values.shape[1] <= 7 else "–"
        axes.text(column, row, text, ha="center", va="center", **style)


def _frame(axes: Any, data: Heatmap) -> None:
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(data.is_tied | data.is_best):
        best = data.is_best[row, column]
        for colour, width in (("white", 4.0 if best else 3.0), (BLACK, 2.4 if best else 1.2)):
            line = {
                "edgecolor": colour,
                "linewidth": width,
                "linestyle": "-" if best or colour == "white" else (0, (3, 1.5)),
            }
            box = Rectangle((column - 0.44, row - 0.42), 0.88, 0.84, facecolor="none", zorder=4 + best, **line)
            axes.add_patch(box)


def _dot(axes: Any, data: Heatmap) -> None:
    style = {"markeredgecolor": "white", "markerfacecolor": BLACK, "linestyle": "none", "zorder": 5}
    for cells_of, marker, size in ((data.is_tied & ~data.is_best, "o", 4.5), (data.is_best, "*", 12)):
        rows, columns = np.nonzero(cells_of)
        axes.plot(columns, rows, marker=marker, markersize=size, markeredgewidth=0.6, **style)


def _colour_bar(figure: Figure, axes: Any, image: Any, data: Heatmap) -> None:
    bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=18, fraction=0.08)
    bar.outline.set_visible(False)
    bar.set_label(data.label, fontsize=FONT)
    if data.is_log:
        low, high = image.norm.vmin, image.norm.vmax
        ticks = [t for t in log_ticks(low, high) if low <= t <= high]
    else:
        ticks = [t for t in bar.get_ticks() if image.norm.vmin <= t <= image.norm.vmax]
    bar.set_ticks(ticks, labels=distinct_numbers([float(t) for t in ticks]))
    bar.ax.minorticks_off()


def heatmap_caption(data: Heatmap) -> str:
    """Say what colours, frames and hatches mean, and how the other factors are handled."""
    is_better, scale = " and better" if data.is_objective else "", ", on a log scale" if data.is_log else ""
    shown = data.centre if data.is_objective else "mean"
    names = f"{named(data.x.name)} or {named(data.y.name)}"
    n_blank, n_grey = int(data.is_empty.sum()), int((~data.is_empty & ~np.isfinite(data.values)).sum())
    return joined(
        [
            f"Colour: {shown} over replicates, {data.bright} is brighter{is_better}{scale}",
            _marked_words(data),
            over_words(data.others, data.over).replace(", and the interval does not allow for that choice", ""),
            f"Hatched: a replicate diverged; a number there is the {shown} of the others"
            * bool(data.is_diverged.any()),
            f"Grey: {words(n_grey, 'cell')} without a finite {shown}" if n_grey else "",
            f"White: {words(n_blank, 'cell')} without a condition" if n_blank else "",
            f"{words(data.n_outside, 'condition')} left out: {names} does not apply" if data.n_outside else "",
        ]
    )


def _marked_words(data: Heatmap) -> str:
    if not data.is_best.any():
        return ""
    best, tied = ("Solid frame", "dashed") if has_room(data) else ("Star", "dots")
    others = f"{words(data.n_tied - 1, 'cell')} that cannot be ruled out as the best at {percent(data.level)}"
    return f"{best}: the best {data.centre} {data.objective}" + (f"; {tied}: {others}" if data.n_tied > 1 else "")


PLOT = Plot(title="Heatmap of two factors", data=heatmap_data, draw=heatmap_draw, caption=heatmap_caption)
