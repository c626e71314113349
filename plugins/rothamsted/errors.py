"""The errors a user can cause. Each message names the place, the rule, the value and the way out, in one line."""

from __future__ import annotations

from rothamsted.caps import MOST_OF_MESSAGE
from rothamsted.escaping import escaped
from rothamsted.masking import masked


class UserError(Exception):
    """Says what a user did wrong and how to correct it, in one line.

    A command prints the line, without a traceback, and ends with exit status 2. The line holds no password or token,
    whatever it was made of.

    Example:
        >>> str(UserError("sweeps/a.yaml:3: trials: must be 1 or more, not 0"))
        'sweeps/a.yaml:3: trials: must be 1 or more, not 0'
    """

    def __str__(self) -> str:
        """The message as a line that can be printed: a value in it may be any text of any length."""
        return as_line(masked(super().__str__()))


class SpecError(UserError):
    """A sweep file, search space or override that does not hold together."""


class StudyError(UserError):
    """A study that cannot be found or that breaks the study contract."""


class DataError(UserError):
    """A data file that is missing, damaged or of the wrong kind."""


class StoreError(UserError):
    """A tracking server or search storage that cannot be reached, read or written."""


class PromotionError(UserError):
    """A promotion or rollback that cannot be decided or made; nothing is recorded, no alias moves."""


class ResumeError(UserError):
    """A sweep that cannot go on under this name as it is asked to."""


def raised(error: BaseException) -> str:
    """What was raised, in one line, without secrets.

    Example:
        >>> raised(ValueError("no such file"))
        'ValueError: no such file'
    """
    text = masked(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def as_line(text: str, most: int | None = MOST_OF_MESSAGE) -> str:
    """A text in one line: what cannot be printed is written out, the middle left out where it is too long.

    A message has its place at the beginning and the way out at the end.

    Args:
        text: of one line or several.
        most: characters; None: of any length.
    """
    if not text.isprintable():
        text = escaped(" ".join(text.split()), kept="")
    if most is None or len(text) <= most:
        return text
    n_last = most * 3 // 10
    return f"{text[: most - n_last - 3]} … {text[-n_last:]}"
