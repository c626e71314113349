"""Make text of others harmless where it is shown: in a terminal, in Markdown, in a spreadsheet.

Names of sweeps, metrics and parameters, questions, errors and the output of programs are such text.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rothamsted.errors import as_line
from rothamsted.escaping import escaped
from rothamsted.masking import masked

if TYPE_CHECKING:
    from rich.console import Console

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
# A bracket that ends the text of a link: of a definition, a reference, or a place in parentheses, which has no space
# unless a title follows. Readers of Markdown differ on spaces before it. The end of an interval is none: [0, 1] (95 %).
_LINK = re.compile(r"""(?P<before>\\*)\](?=:|\s*\[|\s*\(\s*(?:<[^>]*>|[^\s)]*)(?:\s+["'(][^)]*)?\s*\))""")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # a spreadsheet runs a cell that begins so, `'` apart, which marks text


def printable(text: str) -> str:
    r"""Make text fit for a terminal: secrets are starred out, control characters are shown as Python writes them.

    Example:
        >>> printable("\x1b[31mred")
        '\\x1b[31mred'
    """
    return escaped(masked(text.replace("\r\n", "\n")))


def printable_json(value: Any) -> str:
    """Write a value as one line of JSON, in which control characters are escaped and secrets starred out."""
    text = json.dumps(_masked_in(value), ensure_ascii=False)
    return escaped(text, write=lambda c: json.dumps(c)[1:-1])


def markdown(text: str) -> str:
    r"""Make text fit for a Markdown page: it holds no tag of HTML, no link, no picture, and no secret.

    Example:
        >>> markdown("<img src=x> ![a](http://h)")
        '&lt;img src=x> ![a\\](http://h)'
    """
    text = escaped(masked(text))
    return _LINK.sub(lambda found: f"{2 * found['before']}\\]", _TAG.sub("&lt;", text))


def without_bars(text: str) -> str:
    """Make text fit for a cell of a Markdown table, which it cannot end."""
    return re.sub(r"(\\*)\|", lambda found: f"{2 * found[1]}\\|", text).replace("\n", " ")


def csv_cell(text: str) -> str:
    """Make text fit for a cell of a CSV file: what a spreadsheet would run gets a `'` in front; numbers stay numbers.

    Example:
        >>> csv_cell("=1+1"), csv_cell("-0.5"), csv_cell("a=1")
        ("'=1+1", '-0.5', 'a=1')
    """
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def csv_value(cell: str) -> str:
    """Return the text that `csv_cell` wrote.

    Example:
        >>> csv_value("'=1+1"), csv_value("'a'")
        ('=1+1', "'a'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def csv_text(rows: Iterable[Iterable[str | int | float | None]]) -> str:
    """Write rows as a CSV file: the one place that writes one. Numbers have all their digits; None is empty."""
    import csv

    lines = []  # each by itself: so a cell with either sign of a line's end is quoted
    for row in rows:
        buffer = io.StringIO()
        csv.writer(buffer).writerow([csv_cell(cell) if isinstance(cell, str) else cell for cell in row])
        lines.append(buffer.getvalue().removesuffix("\r\n") + "\n")
    return "".join(lines)


def error_line(error: BaseException | str) -> str:
    """Return what an error says, as one line for a terminal.

    Example:
        >>> error_line(ValueError("no such file"))
        'error: no such file'
    """
    return f"error: {as_line(masked(str(error)), most=None)}"


def traceback_of(error: BaseException) -> str:
    """Return the traceback as Python prints it, without secrets."""
    return masked("".join(traceback.format_exception(error)))


def log_printably() -> None:
    """Print warnings that libraries log on standard error, without control characters and secrets."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def end_printably() -> None:
    """Print the traceback of what nobody catches in this process on standard error, without secrets."""
    sys.excepthook = lambda kind, error, trace: print(printable(traceback_of(error)), end="", file=sys.stderr)


class _Formatter(logging.Formatter):
    """Log lines without secrets and control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def console(**options: Any) -> Console:
    """Make Rich's console, on which text of others can steer nothing: all that it prints goes through `printable`.

    Args:
        options: of `rich.console.Console`.
    """
    from rich.console import Console, ConsoleRenderable, RenderHook
    from rich.segment import Segment

    class Clean:
        """What is printed, with each piece of text cleaned; Rich's own control codes stay."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __rich_console__(self, console: Console, options: Any) -> Iterator[Segment]:
            for one in console.render(self.inner, options):
                yield one if one.control else Segment(printable(one.text), one.style)

    class Hook(RenderHook):
        """Asked by Rich for all that is printed."""

        def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
            return [Clean(one) for one in renderables]

    made = Console(**options)
    made.push_render_hook(Hook())
    return made


def _masked_in(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked(key) if isinstance(key, str) else key: _masked_in(one) for key, one in value.items()}
    return [_masked_in(one) for one in value] if isinstance(value, (list, tuple)) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
