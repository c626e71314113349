"""Ways to change bytes, text, YAML and lists of words at random; all that is random comes from the generator given."""

from __future__ import annotations

import copy
import re
import reprlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where there is one: mutants are many
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TOKEN = re.compile(r"[A-Za-z_][\w.]*|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\s+|[^\w\s]")
# Values that readers misread, or that grow: not finite, huge, tiny, of another base, of another kind, of no value.
VALUES = (
    *("0", "-1", "1", "2", "1.5", "-0.0", "1e-3", "1e3", "1.0e+999", "-1e999", ".inf", "-.inf", ".nan", "nan", "inf"),
    *("9007199254740993", "4294967296", "1e308", "1e-320", "9" * 400, "9" * 5_000, "0x10", "0o17", "1_000", "1:30"),
    *(
        "true",
        "false",
        "yes",
        "null",
        "~",
        "''",
        '""',
        "[]",
        "{}",
        "[[]]",
        "{a: 1}",
        "2020-01-01",
        "!!binary aGk=",
        "-",
    ),
    *("a b", "a,b", "a=b", "../x", "/", ".", "..", "a/b", "a//b", "%s", "{}", "${x}", "$(id)", "`id`", "'", '"', "\\"),
    *("100000", "1000000", "999999999999GB", "10m", "1h30m", "-5s", "999d", "3 epochs", "0 epochs"),
)
CHARACTERS = (
    *(
        "\x00",
        "\x07",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
        "\ud800",
        "\U0001f600",
        "é",
        "\t",
        "\n",
    ),
    *("'", '"', "\\", "[", "]", "{", "}", "(", ")", ":", ",", "#", "&a ", "*a", "!", "|", ">", "%", "@", "`", "=", "-"),
)
REPEATED = (
    "[",
    "{a: ",
    "(",
    "-",
    "!",
    "*a ",
    "&a ",
    "a,",
    "#\n",
    " ",
    "\\",
    "'",
    "9",
    "a",
    "a.",
    "+1",
    "- ",
    "? ",
    "${",
)
COUNTS = (2, 10, 100, 2_000)
_TEXT = reprlib.Repr()  # of a tree of aliases the whole text would be gigabytes


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """One change: bits, bytes, a piece left out, doubled, moved or set to one value, an end cut off."""
    if not data:
        return bytes(random.randrange(256) for _ in range(random.randrange(20)))
    start = random.randrange(len(data))
    stop = min(len(data), start + random.choice((1, 2, 4, 8, 64, 512)))
    piece = data[start:stop]
    made = random.randrange(7)
    if made == 0:
        return data[:start] + bytes([data[start] ^ (1 << random.randrange(8))]) + data[start + 1 :]
    if made == 1:
        return data[:start] + bytes([random.choice((0, 1, 127, 128, 255, random.randrange(256)))]) + data[start + 1 :]
    if made == 2:
        return data[:start] + data[stop:]
    if made == 3:
        return data[:start] + piece * random.choice(COUNTS[:3]) + data[stop:]
    if made == 4:
        return data[:start] + bytes([random.choice((0, 255))]) * len(piece) + data[stop:]
    if made == 5:
        place = random.randrange(len(data))
        return data[:place] + piece + data[place:]
    return data[:start]


def mutate_text(text: str, random: Random, others: Sequence[str] = ()) -> str:
    """One change of a text: a token, a character, a value, a long run of one thing, or a line."""
    made = random.randrange(7)
    if made == 0:
        return _with_token(text, random, others)
    if made == 1:
        place = random.randrange(len(text) + 1)
        return text[:place] + random.choice(CHARACTERS) + text[place:]
    if made == 2:
        place = random.randrange(len(text) + 1)
        return text[:place] + random.choice(REPEATED) * random.choice(COUNTS) + text[place:]
    if made == 3:
        start = random.randrange(len(text) + 1)
        return text[:start] + text[start + random.choice((1, 2, 5, 40)) :]
    if made == 4:
        return _with_line(text, random, others)
    if made == 5:
        data = mutate_bytes(text.encode("utf-8", "surrogatepass"), random)
        return data.decode("utf-8", random.choice(("replace", "surrogateescape")))
    return _with_value(text, random)


def _with_token(text: str, random: Random, others: Sequence[str]) -> str:
    """One token left out, doubled, or another one, of this text or of another."""
    found = list(_TOKEN.finditer(text))
    if not found:
        return text
    one, source = random.choice(found), random.choice([text, *others])
    other = random.choice(_TOKEN.findall(source) or [""])
    new = random.choice(("", one[0] * 2, other, f"{one[0]} {other}"))
    return text[: one.start()] + new + text[one.end() :]


def _with_value(text: str, random: Random) -> str:
    """What stands behind a colon, an equals sign, a comma or a bracket is another value."""
    found = list(re.finditer(r"(?<=[:=,\[(] )[^\n,\])}]+|(?<=[=,\[(])[^\s,\])}]+|\d[\d.e-]*", text))
    if not found:
        return text + random.choice(VALUES)
    one = random.choice(found)
    return text[: one.start()] + random.choice(VALUES) + text[one.end() :]


def _with_line(text: str, random: Random, others: Sequence[str]) -> str:
    """A line left out, doubled, moved, indented, or one of another text more."""
    lines, other = text.splitlines(keepends=True) or [""], random.choice([text, *others]).splitlines(keepends=True)
    place = random.randrange(len(lines))
    made = random.randrange(5)
    if made == 0:
        del lines[place]
    elif made == 1:
        lines.insert(place, lines[place])
    elif made == 2:
        lines[place] = random.choice(("  ", "\t", "- ")) + lines[place]
    elif made == 3:
        random.shuffle(lines)
    else:
        lines.insert(place, random.choice(other or [""]))
    return "".join(lines)


def mutate_yaml(text: str, random: Random, others: Sequence[str] = ()) -> str:
    """One change of the tree of a YAML text, written out anew: shared nodes become aliases."""
    tree = _tree(text)
    if not isinstance(tree, (dict, list)):
        return mutate_text(text, random, others)
    holder, key = random.choice(_places(tree))
    made = random.randrange(9)
    old = holder[key]
    if made == 0:
        del holder[key]
    elif made == 1:
        other = _tree(random.choice([text, *others]))
        (o_holder, o_key) = random.choice(_places(other)) if isinstance(other, (dict, list)) else ({0: other}, 0)
        holder[key] = copy.deepcopy(o_holder[o_key])
    elif made == 2:
        holder[key] = random.choice(([old], [old, old], {"values": old}, {str(key): old}, _TEXT.repr(old), None))
    elif made == 3:
        holder[key] = _of_kind(random)
    elif made == 4 and isinstance(holder, dict):
        holder[random.choice((f"{key}x", str(key).upper(), f"{key}.{key}", *VALUES, *CHARACTERS))] = holder.pop(key)
    elif made == 5:
        holder[key] = _aliased(old, random)
    elif made == 6:
        n_members = random.choice(COUNTS)
        holder[key] = [random.choice((n, n / 7, f"v{n}", 0)) for n in range(n_members)]
    elif made == 7 and isinstance(holder, dict):
        other = _tree(random.choice([text, *others]))
        holder |= {random.choice([key, f"{key}2"]): old} | (other if isinstance(other, dict) else {})
    else:
        holder[key] = _deep(old, random)
    try:
        return yaml.dump(
            tree, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, default_flow_style=random.choice((None, True))
        )
    except (yaml.YAMLError, RecursionError, UnicodeError):
        return text


def mutate_words(words: Sequence[str], random: Random, others: Sequence[Sequence[str]] = ()) -> list[str]:
    """One change of a list of words: a word left out, doubled, moved, changed, or one of another list more."""
    found = list(words)
    made = random.randrange(6)
    place = random.randrange(len(found)) if found else 0
    if made == 0 and found:
        del found[place]
    elif made == 1 and found:
        found.insert(place, found[place])
    elif made == 2:
        random.shuffle(found)
    elif made == 3:
        found.insert(place, random.choice(list(random.choice([words, *others])) or ["--"]))
    elif found:
        texts = [word for other in others for word in other]
        found[place] = mutate_text(found[place], random, texts[:50])
    return found


def several(change: Callable[[Any], Any], content: Any, random: Random) -> Any:
    """One change, often another, seldom many."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5))):
        content = change(content)
    return content


def _tree(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError):
        return None


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every member of the tree: its holder, and its key or position."""
    found, waiting, seen = [], [tree], set()
    while waiting and len(found) < 1_000:
        holder = waiting.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                waiting.append(holder[key])
    return found or [({0: tree}, 0)]


def _of_kind(random: Random) -> Any:
    """A value of a random kind."""
    numbers: tuple[Any, ...] = (0, -1, 2**53 + 1, 10**30, 0.1, -0.0, 1e308, 1e-320, float("inf"), float("nan"))
    return random.choice((*numbers, True, False, None, "", [], {}, *VALUES, *CHARACTERS, b"\x00\xff"))


def _aliased(value: Any, random: Random) -> Any:
    """Lists of lists of one and the same value: in YAML a few lines of aliases."""
    width, depth = random.choice(((2, 2), (3, 4), (9, 9), (2, 20)))
    for _ in range(depth):
        value = [value] * width if random.random() < 0.7 else {f"k{n}": value for n in range(width)}
    return value


def _deep(value: Any, random: Random) -> Any:
    for _ in range(random.choice((2, 5, 50, 150))):
        value = random.choice(([value], {"a": value}))
    return value
