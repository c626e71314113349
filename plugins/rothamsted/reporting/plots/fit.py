"""Break labels of a drawn figure that are too long for their place."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LETTER, LINE = 4.9, 10.5  # points: the width of a letter, the height of a line
ROWS_SHARE = 0.47  # of a figure's width, at most, for the names of its rows


def fit_labels(figure: Figure) -> None:
    """Break names of rows and axes into lines. If rows need more lines the figure becomes higher."""
    for axes in figure.axes:
        _fit_rows(axes, figure)
    width, height = (72 * inches for inches in figure.get_size_inches())
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        n_rows, n_columns = (1, 1) if spec is None else spec.get_gridspec().get_geometry()
        for side, room in ((axes.xaxis, 0.57 * width / n_columns), (axes.yaxis, (height - 70) / n_rows)):
            text = side.get_label_text()
            if max(map(len, text.split("\n"))) * LETTER > room:
                side.set_label_text(_in_lines(text, room))


def _fit_rows(axes: Any, figure: Figure) -> None:
    from matplotlib.ticker import FixedFormatter

    formatter = axes.yaxis.get_major_formatter()
    texts = list(formatter.seq) if isinstance(formatter, FixedFormatter) else []  # asking for the labels draws them
    room = ROWS_SHARE * 72 * figure.get_figwidth()
    if max((len(line) for text in texts for line in text.split("\n")), default=0) * LETTER <= room:
        return
    broken = [_in_lines(" ".join(text.split("\n")), room) for text in texts]
    more = max(text.count("\n") for text in broken) - max(text.count("\n") for text in texts)
    axes.set_yticks(axes.get_yticks(), labels=broken)
    figure.set_figheight(figure.get_figheight() + len(texts) * max(more, 0) * LINE / 72)


def _in_lines(text: str, room: float) -> str:
    letters = max(12, int(room / LETTER))
    return "\n".join(
        part for line in text.split("\n") for part in wrap(line, letters, break_long_words=False) or [line]
    )
