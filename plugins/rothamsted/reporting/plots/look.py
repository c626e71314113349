"""Give all figures one look: colours that colour-blind readers can distinguish, sizes, legends, intervals.

Colours: Okabe & Ito (2008), Color Universal Design; ordered levels and surfaces: viridis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rothamsted.reporting.plots.labels import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 6.8  # inches: one column of a report
FONT = 9.0  # points
SMALL = 8.0  # points; nothing is smaller

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, BLACK, GREY = "#56B4E9", "#D55E00", "#000000", "#767676"
PALE = "#B8B8B8"
PALETTE = (BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = (  # each line another, so that a print without colours can be read
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (9, 2)),
    (0, (6, 1.5, 1.5, 1.5, 1.5, 1.5)),
    (0, (3, 3)),
    (0, (1, 2.5)),
)

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT,
    "axes.labelsize": FONT,
    "axes.titlesize": FONT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#404040",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.7,
    "figure.facecolor": "white",  # a white card on a dark page
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a factor may have a $ in its name
    "axes.unicode_minus": False,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # fonts are embedded as they are, so that publishers take the file
    "svg.hashsalt": "rothamsted",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
}


def sized(figure: Figure, height: float) -> None:
    """Give a figure a height, inches; its width is the renderer's."""
    figure.set_size_inches(figure.get_figwidth(), height)


def share_of_width(figure: Figure) -> float:
    """Return a figure's width as a share of the column for which names are cut and legends are laid out."""
    return figure.get_figwidth() / WIDTH


def series_colours(n: int, *, is_ordered: bool) -> list[Any]:
    """Give each of n series a colour: along viridis where their order means something, else Okabe-Ito's."""
    if not is_ordered or n < 3:
        return list(PALETTE[:n])
    from matplotlib import colormaps

    return [colormaps["viridis"](place) for place in np.linspace(0.0, 0.88, n)]


def interval_bars(axes: Any, x: np.ndarray, scores: tuple[np.ndarray, np.ndarray, np.ndarray], **style: Any) -> None:
    """Draw the interval of each point as a bar with caps; points without an interval get none.

    Args:
        axes: Where to draw.
        x: (point,) where the points lie.
        scores: mean, low and high, each (point,); on a log axis a low end at or below 0 goes to the axis.
        style: `color`, and `is_flat` for intervals along x.
    """
    mean, low, high = scores
    is_flat = style.pop("is_flat", False)
    has_bar = np.isfinite(mean) & np.isfinite(low) & np.isfinite(high)
    if not has_bar.any():
        return
    arms = np.vstack([np.maximum(mean - low, 0), np.maximum(high - mean, 0)])[:, has_bar]
    where = (mean[has_bar], x[has_bar]) if is_flat else (x[has_bar], mean[has_bar])
    arm = {"xerr": arms} if is_flat else {"yerr": arms}
    axes.errorbar(*where, **arm, fmt="none", elinewidth=0.9, capsize=style.pop("capsize", 2), capthick=0.9, **style)


def legend_below(figure: Figure, handles: Sequence[Any], labels: Sequence[str], title: str = "") -> None:
    """Put the legend below the axes, in as many columns as its longest label allows."""
    texts = [shorten(label, int(82 * share_of_width(figure))) for label in labels]
    n_columns = max(1, min(len(texts), int(88 * share_of_width(figure) // (max(len(text) for text in texts) + 6))))
    figure.legend(
        handles,
        texts,
        title=shorten(title, 60) or None,
        loc="outside lower center",
        ncols=n_columns,
        handlelength=2.6,
        columnspacing=1.6,
        borderaxespad=0.2,
    )


def write_beside(axes: Any, places: np.ndarray, texts: Sequence[str], others: np.ndarray, *, color: Any) -> None:
    """Write a short text beside each point, on the first free side; without room it is left out.

    Args:
        axes: With their limits set.
        places: (point, 2) x and y, in units of the axes.
        texts: One a point.
        others: (point, 2) further points that no text may hide.
        color: Colour of the texts.
    """
    at, around = (axes.transData.transform(part) * 72 / axes.figure.dpi for part in (places, others))  # points
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in (*at.tolist(), *around.tolist())]
    for (x, y), place, text in zip(at.tolist(), places.tolist(), texts, strict=True):
        width = 5.3 * len(text)
        for side, dx, dy in (("left", 5, 5), ("right", -5, 5), ("left", 5, -11), ("right", -5, -11), ("left", 7, -3)):
            first = x + dx - (width if side == "right" else 0)
            box = (first, y + dy, first + width, y + dy + SMALL)
            if not any(_meet(box, other) for other in taken):
                taken.append(box)
                style = {"fontsize": SMALL, "color": color, "ha": side, "zorder": 6}
                axes.annotate(text, place, xytext=(dx, dy), textcoords="offset points", **style)
                break


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
