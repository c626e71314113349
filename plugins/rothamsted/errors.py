"""Define the errors that a user can cause. Each message is one line: the place, the rule, the value and the way out."""

from __future__ import annotations

from rothamsted.caps import MOST_OF_MESSAGE
from rothamsted.escaping import escaped
from rothamsted.masking import masked


class UserError(Exception):
    """Says what a user did wrong and how to correct it, in one line.

    A command prints the line, without a traceback, and ends with exit status 2. The line never holds a password or
    token.

    Example:
        >>> str(UserError("sweeps/a.yaml:3: trials: must be 1 or more, not 0"))
        'sweeps/a.yaml:3: trials: must be 1 or more, not 0'
    """

    def __str__(self) -> str:
        """The message as a line that can be printed: a value in it may be any text of any length."""
        return as_line(masked(super().__str__()))


class SpecError(UserError):
    """Says that a sweep file, search space or override contradicts itself or cannot be read."""


class StudyError(UserError):
    """Says that a study cannot be found, or breaks the study contract."""


class DataError(UserError):
    """Says that a data file is missing, damaged or of the wrong kind."""


class StoreError(UserError):
    """Says that a tracking server or search storage cannot be reached, read or written."""


class PromotionError(UserError):
    """Says that a promotion or rollback cannot be decided or made. Nothing is recorded, and no alias moves."""


class ResumeError(UserError):
    """Says that a sweep of this name cannot go on in the way that was asked for."""


def raised(error: BaseException) -> str:
    """Give an exception as one line without secrets.

    Example:
        >>> raised(ValueError("no such file"))
        'ValueError: no such file'
    """
    text = masked(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def as_line(text: str, most: int | None = MOST_OF_MESSAGE) -> str:
    """Give a text as one line: unprintable characters are escaped, and the middle of a long text is left out.

    The middle goes because a message has its place at the beginning and the way out at the end.

    Args:
        text: one line or several.
        most: number of characters; None: no limit.
    """
    if not text.isprintable():
        text = escaped(" ".join(text.split()), kept="")
    if most is None or len(text) <= most:
        return text
    n_last = most * 3 // 10
    return f"{text[: most - n_last - 3]} … {text[-n_last:]}"
