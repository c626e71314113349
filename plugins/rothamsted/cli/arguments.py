"""`--key value` pairs of a command line, as MLflow passes parameters that MLproject does not declare.

Apart from the commands because a sweep's keys are open (every key of the file, every field of a study), so no
parser can declare them.
"""

from __future__ import annotations

from collections.abc import Sequence

from rothamsted.errors import UserError


def pairs(arguments: Sequence[str], *, command: str) -> dict[str, str]:
    """`--a 1 --b=2` as {"a": "1", "b": "2"}.

    Raises:
        UserError: a word that belongs to no key, a key without value, a key given twice.
    """
    found: dict[str, str] = {}
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            raise UserError(f"rothamsted {command}: '{word}' belongs to no key; write --key value")
        key, separator, value = word[2:].partition("=")
        if not separator:
            if not words or (words[0].startswith("--")):
                raise UserError(f"rothamsted {command}: --{key} has no value; write --{key} VALUE")
            value = words.pop(0)
        if key in found:
            raise UserError(f"rothamsted {command}: --{key} is given twice; give it once")
        found[key] = value
    return found


def take(found: dict[str, str], key: str, default: str | None = None) -> str | None:
    """Remove a key and return its value; MLproject passes an empty text for 'not given'."""
    value = found.pop(key, "")
    return value if value != "" else default
