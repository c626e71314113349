"""Read the words of a command line: `key=value`, `--key value`, bare options, and words for the command's own keys.

A sweep's keys are open (every key of the file, every field of a study), so no parser can declare them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rothamsted.cli.usage import COMMON, USAGES
from rothamsted.errors import UserError
from rothamsted.named_files import is_there
from rothamsted.suggest import known_names

_KEY = re.compile(r"[A-Za-z_][\w./-]*")
_TRUTH = ("true", "false")
_COMMON = {word: name for name, (words, _) in COMMON.items() for word in words}


@dataclass(frozen=True, kw_only=True)
class GivenWords:
    """Holds a command line, sorted.

    Attributes:
        keys: key -> text.
        words: without a key, in their order.
        common: of `COMMON`, those that are given.
    """

    keys: Mapping[str, str]
    words: Sequence[str]
    common: frozenset[str]


def read_line(arguments: Sequence[str], *, command: str) -> GivenWords:
    """Sort `a=1 --b 2 --c=3 --yes FILE -q` into keys, words and what every command takes.

    `--space` takes every domain that follows it: `--space gamma=0.1,1 lr=interval(0.01,1) trials=20` is the space of
    gamma and lr.

    Raises:
        UserError: a key without value or given twice, or a word that is no text.
    """
    for word in arguments:
        if any("\ud800" <= sign <= "\udfff" for sign in word):  # bytes that are no UTF-8, as Python has them
            raise UserError(f"rothamsted {command}: {word!r} holds characters that cannot be stored; write it in UTF-8")
    keys: dict[str, str] = {}
    free: list[str] = []
    common: set[str] = set()
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in _COMMON and not (USAGES[command].others and left[:1] and left[0] in _TRUTH):
            common.add(_COMMON[word])
            continue
        pair = _pair(word, left, command)
        if pair is None:
            free.append(word)
        elif pair[0] in keys:
            raise UserError(f"rothamsted {command}: {pair[0]} is given twice; give it once")
        else:
            keys[pair[0]] = _whole_space(pair[1], left) if word == "--space" else pair[1]
    return GivenWords(keys=keys, words=free, common=frozenset(common))


def pairs(arguments: Sequence[str], *, command: str) -> dict[str, str]:
    """Read `a=1 --b 2 --c=3 FILE` as {"a": "1", "b": "2", "c": "3", "config": "FILE"}.

    Raises:
        UserError: a word too many, a key without value, a key given twice, a key that the command does not take.
    """
    usage, line = USAGES[command], read_line(arguments, command=command)
    found, free = dict(line.keys), list(line.words)
    for name in usage.words:
        if not free:
            break
        if found.get(name):
            raise UserError(f"rothamsted {command}: {name} is given twice, as '{free[0]}' and as {name}={found[name]}")
        takes_all = name == usage.words[-1] and usage.several == "together"
        found[name] = ",".join(free) if takes_all else free[0]
        free = [] if takes_all else free[1:]
    if free:
        takes = " ".join([*map(str.upper, usage.words), "KEY=VALUE ..."])
        raise UserError(f"rothamsted {command}: '{free[0]}' is a word too many; write rothamsted {command} {takes}")
    _refuse_unknown(found, command)
    return found


def each_alone(arguments: Sequence[str], *, command: str) -> list[list[str]]:
    """Split `a b level=0.9` into `a level=0.9` and `b level=0.9`, for a command that runs once for each word."""
    usage, line = USAGES[command], read_line(arguments, command=command)
    if usage.several != "each" or len(line.words) < 2:
        return [list(arguments)]
    if key := next((key for key in usage.words if key in line.keys), None):
        raise UserError(
            f"rothamsted {command}: {key} is given twice, as '{line.words[0]}' and as {key}={line.keys[key]}"
        )
    rest = [f"--{key}={value}" for key, value in line.keys.items()] + [COMMON[name][0][-1] for name in line.common]
    return [[f"--{usage.words[-1]}={word}", *rest] for word in line.words]


def take(found: dict[str, str], key: str, default: str | None = None) -> str | None:
    """Remove a key and return its value; MLproject passes an empty text for 'not given'."""
    value = found.pop(key, "")
    return value if value != "" else default


def take_many(found: dict[str, str], key: str) -> list[str]:
    """Remove a key and return its names, a,b, each once."""
    return list(dict.fromkeys(name.strip() for name in (take(found, key) or "").split(",") if name.strip()))


def take_truth(found: dict[str, str], key: str, command: str) -> bool:
    """Remove a switch and return its value; where it is not given, the opposite of what the bare option says."""
    text = take(found, key)
    if text is None:
        return not USAGES[command].switches[key]
    if text not in _TRUTH:
        raise UserError(f"rothamsted {command}: {key}={text} must be true or false")
    return text == "true"


def _pair(word: str, left: list[str], command: str) -> tuple[str, str] | None:
    """The key and value that a word begins, taking its value from `left` where it stands there; None: it has no key."""
    key, separator, value = word.removeprefix("--").partition("=")
    if not word.startswith("--") or word == "--":
        is_pair = separator and _KEY.fullmatch(key) and not is_there(word)
        return (key, value) if is_pair else None
    is_of_mlflow = "_" in key  # --dry_run VALUE, as `mlflow run` passes -P dry_run=VALUE; --dry-run is bare
    key = _own_key(key, command)
    if separator:
        return key, value
    for switch, said in USAGES[command].switches.items():
        if (
            not (is_of_mlflow and left)
            and key == (switch if said else f"no_{switch}")
            and left[:1] not in (["true"], ["false"])
        ):
            return switch, "true" if said else "false"
    if not left or left[0].startswith("--"):
        raise UserError(f"rothamsted {command}: --{key} has no value; write {key}=VALUE")
    return key, left.pop(0)


def _whole_space(text: str, left: list[str]) -> str:
    """The value of `--space` with the domains that stand after it, which are taken from `left`."""
    found = [text]
    while left and _is_domain(left[0]):
        found.append(left.pop(0))
    return " ".join(found)


def _is_domain(word: str) -> bool:
    """Whether a word is `name=a,b` or `name=interval(a,b)` of Hydra's sweep grammar; `name=[a,b]` is one value."""
    key, _, value = word.partition("=")
    if not _KEY.fullmatch(key):
        return False
    before, outside = "", re.sub(r"'[^']*'|\"[^\"]*\"", "", value)
    while outside != before:
        before, outside = outside, re.sub(r"[\[({][^\[\](){}]*[\])}]", "", outside)
    return "," in outside or re.match(r"[a-z]+\(", value) is not None


def _own_key(key: str, command: str) -> str:
    """An option's key: --if-exists is if_exists where the command has that key; any other key stays as it is."""
    usage = USAGES[command]
    own = {*usage.keys, *(f"no_{switch}" for switch, said in usage.switches.items() if not said)}
    return key.replace("-", "_") if key.replace("-", "_") in own else key


def _refuse_unknown(found: Mapping[str, str], command: str) -> None:
    keys = USAGES[command].keys
    unknown = [] if USAGES[command].others else [key for key in found if key not in keys]
    if unknown:
        raise UserError(
            f"rothamsted {command}: unknown keys {', '.join(unknown)}; {known_names(unknown[0], keys)}; "
            f"rothamsted {command} --help says what they mean"
        )
