"""The words of a command line: `key=value`, `--key value`, and words without a key that fill the command's own.

Apart from the commands because a sweep's keys are open (every key of the file, every field of a study), so no
parser can declare them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rothamsted.cli.usage import USAGES
from rothamsted.errors import UserError
from rothamsted.suggest import known_names

_KEY = re.compile(r"[A-Za-z_][\w./-]*")


def pairs(arguments: Sequence[str], *, command: str) -> dict[str, str]:
    """`a=1 --b 2 --c=3 FILE` as {"a": "1", "b": "2", "c": "3", "config": "FILE"}.

    Raises:
        UserError: a word too many, a key without value, a key given twice, a key that the command does not take.
    """
    usage = USAGES[command]
    found: dict[str, str] = {}
    free: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        key, separator, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and word != "--":
            if not separator:
                if not words or words[0].startswith("--"):
                    raise UserError(f"rothamsted {command}: --{key} has no value; write {key}=VALUE")
                value = words.pop(0)
        elif not separator or not _KEY.fullmatch(key) or Path(word).exists():
            free.append(word)
            continue
        if key in found:
            raise UserError(f"rothamsted {command}: {key} is given twice; give it once")
        found[key] = value
    for name in usage.words:
        if not free:
            break
        if found.get(name):
            raise UserError(f"rothamsted {command}: {name} is given twice, as '{free[0]}' and as {name}={found[name]}")
        is_last = name == usage.words[-1]
        found[name] = ",".join(free) if is_last and usage.takes_many else free[0]
        free = [] if is_last and usage.takes_many else free[1:]
    if free:
        takes = " ".join([*map(str.upper, usage.words), "KEY=VALUE ..."])
        raise UserError(f"rothamsted {command}: '{free[0]}' is a word too many; write rothamsted {command} {takes}")
    _refuse_unknown(found, command)
    return found


def take(found: dict[str, str], key: str, default: str | None = None) -> str | None:
    """Remove a key and return its value; MLproject passes an empty text for 'not given'."""
    value = found.pop(key, "")
    return value if value != "" else default


def _refuse_unknown(found: Mapping[str, str], command: str) -> None:
    keys = USAGES[command].keys
    unknown = [] if USAGES[command].others else [key for key in found if key not in keys]
    if unknown:
        raise UserError(
            f"rothamsted {command}: unknown keys {', '.join(unknown)}; {known_names(unknown[0], keys)}; "
            f"rothamsted {command} --help says what they mean"
        )
