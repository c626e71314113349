"""Define the error of data files, in a separate module so that every reader can import it."""

from __future__ import annotations

_MOST_CHARACTERS = 600  # of a message: what a damaged file says of itself can be long


class DataProblem(Exception):  # noqa: N818  (said of data, as a user reads it)
    r"""Says that a data file or data setting cannot be used: one printable line with file, rule, value and way out.

    Example:
        >>> print(DataProblem("a\nb\x1b.npy: is cut off"))
        a b\x1b.npy: is cut off
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str, most: int = _MOST_CHARACTERS) -> str:
    r"""Write a text on one line.

    Line breaks become spaces, other control characters and lone surrogates become escapes.
    """
    words = " ".join(part.strip() for part in text.splitlines() if part.strip())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words)
    half = (most - 3) // 2
    return shown if len(shown) <= most else f"{shown[:half]} … {shown[-half:]}"
