"""Check what MLflow can hold: the names of params, metrics and tags, and the texts of params and tags.

These are MLflow's own rules (`mlflow.utils.validation`). They are repeated here because importing MLflow takes over a
second, and a mistake must be reported before. A test compares the two.
"""

from __future__ import annotations

import posixpath
import re

MAX_NAME = 250  # characters
MAX_PARAM = 6_000  # of a value
MAX_TAG = 8_000
MAX_STEP = 2**63  # the first step that its databases do not hold
# Characters of a metric's name that are kept for what is made of it, `objective.NAME/ci_high`, `NAME/median_adjusted`.
ROOM_OF_METRIC = 40

_NAME = re.compile(r"^[/\w.\- :]*$")
_SHOWN = 60


def name_fault(name: str, *, room: int = 0) -> str:
    """Say why MLflow does not take a name; empty if it does.

    Args:
        name: of a metric, param or tag: one rule for all.
        room: characters that are added to it elsewhere.

    Example:
        >>> name_fault("a+b")
        "MLflow takes letters, digits, '_', '-', '.', ' ', ':' and '/' in a name only"
    """
    if not _NAME.match(name):
        return "MLflow takes letters, digits, '_', '-', '.', ' ', ':' and '/' in a name only"
    plain = posixpath.normpath(name)
    if plain != name or plain.startswith(("..", "/")) or plain == ".":
        return f"MLflow takes a name as the path of a file, and this one would be {plain[:_SHOWN]!r}"
    if len(name) > MAX_NAME - room:
        added = f", {room} of them for the names that are made from it, such as {name[:8]}…/ci_high" if room else ""
        return f"the name has {len(name)} characters, and MLflow keeps {MAX_NAME}{added}"
    return ""


def text_fault(text: str, *, most: int = MAX_PARAM) -> str:
    """Say why MLflow, or a database below it, does not take the text of a param or tag; empty if it does."""
    if len(text) > most:
        return f"the value has {len(text)} characters, and MLflow keeps {most}"
    if "\x00" in text:
        return "the value holds a NUL character, which databases do not keep"
    if not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text):
        return "the value holds a broken character, which is not text"
    return ""


def recordable(text: str) -> str:
    """Return a text of somebody else's, such as the message of an error, with what no database keeps written out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def metric_fault(name: str) -> str:
    """Say why a metric of this name cannot be logged with its means and intervals; empty if it can."""
    fault = name_fault(name, room=ROOM_OF_METRIC)
    return f"metric {name[:_SHOWN]!a}{'…' if len(name) > _SHOWN else ''}: {fault}; rename it" if fault else ""
