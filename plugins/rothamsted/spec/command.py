"""Read a command line of a sweep file: its words, its placeholders, and the arguments of one replicate.

No shell runs it. Its words are split as a shell splits them, and a value never becomes two words.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Any, NamedTuple

from rothamsted.errors import UserError
from rothamsted.space.values import shortened
from rothamsted.spec.hydra_text import as_override

PARAMETERS, OVERRIDES, CONFIG, OUTPUT, SEED = "parameters", "overrides", "config", "output", "seed"
SPECIAL = (SEED, PARAMETERS, OVERRIDES, CONFIG, OUTPUT)
FLAG, NO_FLAG = "flag", "no_flag"
_MEANINGS = "{NAME}, {NAME:flag}, {NAME:no_flag}, {seed}, {parameters}, {overrides}, {config}, {output}"
_ALONE = (PARAMETERS, OVERRIDES)  # these are several words
_BLANKS = " \t\r\n"
_READ_BY_A_SHELL = frozenset("|&;<>()$`")
_SCRIPTS = (".py", ".sh", ".R", ".jl", ".pl", ".rb", ".js", ".lua", ".m", ".ipynb")


class CommandError(UserError):
    """Says that a command cannot become arguments. The text has no place; the caller adds it."""


class Piece(NamedTuple):
    """Holds a part of a word: text, then a placeholder (None at the end of a word) in one of its forms."""

    text: str
    name: str | None
    form: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """Holds a command with its placeholders.

    Attributes:
        text: the command in one line with as few quotes as possible, so equal commands have equal texts.
        words: the words, each as its pieces.
    """

    text: str
    words: tuple[tuple[Piece, ...], ...]

    @property
    def placeholders(self) -> tuple[tuple[str, str], ...]:
        """Return name and form of each placeholder, in order."""
        return tuple((piece.name, piece.form) for word in self.words for piece in word if piece.name is not None)

    @property
    def names(self) -> frozenset[str]:
        """Return the parameters with their own placeholders, including `seed`."""
        return frozenset(name for name, _ in self.placeholders) - (frozenset(SPECIAL) - {SEED})

    @property
    def passes_all(self) -> bool:
        """Say whether every parameter reaches the program: by {parameters}, {overrides} or {config}."""
        return any(name in (PARAMETERS, OVERRIDES, CONFIG) for name, _ in self.placeholders)

    @property
    def has_config(self) -> bool:
        """Say whether the program reads its parameters from a file."""
        return any(name == CONFIG for name, _ in self.placeholders)

    @property
    def has_output(self) -> bool:
        """Return whether the program gets a folder for its files."""
        return any(name == OUTPUT for name, _ in self.placeholders)

    @property
    def plain_words(self) -> tuple[str, ...]:
        """Return the words up to the first placeholder, which include the program and its script."""
        plain: list[str] = []
        for word in self.words:
            if any(piece.name is not None for piece in word):
                break
            plain.append("".join(piece.text for piece in word))
        return tuple(plain)

    @property
    def script(self) -> str:
        """Return what is run: a script's path, the module after -m, else the program."""
        words = self.plain_words
        for before, word in zip(("", *words), words, strict=False):
            if before == "-m" or word.endswith(_SCRIPTS):
                return word
        return words[0]

    @property
    def name(self) -> str:
        """Return a name for a sweep: the script's, without folder and ending."""
        last = PurePosixPath(self.script).name
        stem = last.removesuffix(PurePosixPath(last).suffix) if last.endswith(_SCRIPTS) else last
        return re.sub(r"[^A-Za-z0-9._-]", "_", stem).strip("_.-")[:100] or "sweep"

    def passes_seed(self, parameter: str | None) -> bool:
        """Say whether the seed, as this parameter, reaches the program."""
        return self.passes_all or SEED in self.names or parameter in self.names

    def arguments(self, values: Mapping[str, Any], *, seed: str | None, config: Path, output: Path) -> list[str]:
        """Return the arguments of one replicate.

        Args:
            values: parameter -> value, including the seed.
            seed: the parameter that has the seed, for {seed}.
            config: path of the JSON file that {config} names.
            output: the folder that {output} names.

        Raises:
            CommandError: a placeholder has no value, or a flag is neither true nor false.
        """
        own = self._own_names(seed)
        rest = {name: value for name, value in values.items() if name not in own}
        several = {PARAMETERS: _as_options(rest), OVERRIDES: [as_override(*pair) for pair in rest.items()]}
        found = {**values, **({SEED: values[seed]} if seed is not None and seed in values else {})}
        found |= {CONFIG: str(config), OUTPUT: str(output)}
        arguments: list[str] = []
        for word in self.words:
            first = word[0]
            if first.name in _ALONE:
                arguments += several[first.name]
            elif first.name is not None and first.form:
                arguments += _as_flag(first.name, found.get(first.name), first.form)
            else:
                arguments.append("".join(piece.text + _inserted(piece.name, found) for piece in word))
        return arguments

    def _own_names(self, seed: str | None) -> frozenset[str]:
        """The parameters that {parameters} need not repeat."""
        return self.names | ({seed} if seed is not None and SEED in self.names else frozenset())


def read_command(text: str) -> Command:
    """Read a command.

    Raises:
        CommandError: it needs a shell, has braces that are not a placeholder, or quotes that do not close.
    """
    words = _words(text)
    if not words:
        raise CommandError("is empty; write a command such as python train.py {parameters}")
    pieces = tuple(_pieces(word) for word in words)
    command = Command(text=joined_words(words), words=pieces)
    if not command.plain_words:
        raise CommandError("must begin with a program, not with a placeholder; write it out, as in python train.py")
    return command


def joined_lines(text: str) -> str:
    """Return a command without backslashes at line ends and those line ends, as a shell joins lines."""
    return "".join("" if token in ("\\\n", "\\\r\n") else token for token, _ in _tokens(text))


def joined_words(words: Iterable[str]) -> str:
    """Join words into one line that `read_command` splits into the same words."""
    return " ".join(word if _stays_one_word(word) else shlex.quote(word) for word in words)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted parameters into nested mappings: {"opt.lr": 0.1} is {"opt": {"lr": 0.1}}.

    Raises:
        CommandError: a parameter is a value and has others below it.
    """
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        here = tree
        for part in above:
            here = here.setdefault(part, {})
            if not isinstance(here, dict):
                raise CommandError(f"{{config}}: {part} is a parameter, and {name} lies below it; rename one")
        if last in here:
            raise CommandError(f"{{config}}: {name} is a parameter, and others lie below it; rename one")
        here[last] = value
    return tree


# ---- reading ----


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The characters of a command, a backslash with what it escapes as one, each with the quote that is open."""
    quote, at = "", 0
    while at < len(text):
        length = 2 if text[at] == "\\" and quote != "'" else 1
        length += text[at + 1 : at + 3] == "\r\n" and length == 2
        token = text[at : at + length]
        at += length
        if quote and token == quote:
            quote = ""
        elif not quote and token in ("'", '"'):
            quote = token
            yield token, ""
            continue
        yield token, quote


def _words(text: str) -> list[str]:
    joined, before = [], " "
    for token, quote in _tokens(joined_lines(text.strip(_BLANKS))):
        is_fold = not quote and token[:1] == "\\" and token[1:] in tuple(_BLANKS) and before in _BLANKS
        if not quote and token == "\n":
            raise CommandError("goes over several lines, and no shell reads it; end each line but the last with \\")
        if not quote and token in _READ_BY_A_SHELL:
            way = f"quote the word that has it, or write bash -c '… {token} …'"
            raise CommandError(f"{token} is for a shell, and no shell reads this command; {way}")
        joined.append(" " if is_fold else token)  # of a backslash at a line's end YAML's folding leaves "\ "
        before = token
    try:
        return shlex.split("".join(joined))
    except ValueError as error:
        raise CommandError(f"cannot be split into words: {error}; close the quotes") from None


def _pieces(word: str) -> tuple[Piece, ...]:
    try:
        found = [Piece(text, name, form or "") for text, name, form, _ in Formatter().parse(word)]
        conversions = [conversion for *_, conversion in Formatter().parse(word) if conversion]
    except ValueError:
        way = "double braces that are meant as text ({{ }})"
        raise CommandError(f"{word!r}: braces stand for a value; {way}") from None
    for piece in found:
        shown = f"{{{piece.name}{':' if piece.form else ''}{piece.form}}}"
        if piece.name is not None and (not piece.name or conversions or piece.form not in ("", FLAG, NO_FLAG)):
            way = f"double braces that are meant as text ({{{{ }}}}), or write one of {_MEANINGS}"
            raise CommandError(f"{word!r}: {shown} is not a placeholder; {way}")
        if piece.name in SPECIAL and piece.form:
            raise CommandError(f"{word!r}: {{{piece.name}}} has no form {piece.form}; remove it")
        if (piece.name in _ALONE or piece.form) and (len(found) > 1 or piece.text):
            raise CommandError(f"{word!r}: {shown} stands for whole words; put blanks around it")
    return tuple(found) or (Piece("", None, ""),)


def _stays_one_word(word: str) -> bool:
    try:
        return shlex.split(word) == [word] and not _READ_BY_A_SHELL & set(word) and "\n" not in word
    except ValueError:
        return False


# ---- filling in ----


def _as_options(values: Mapping[str, Any]) -> list[str]:
    """`--name value`; `--name=value` where the value begins with a dash, which argparse takes for an option."""
    words: list[str] = []
    for name, value in values.items():
        text = str(value)
        words += [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
    return words


def _as_flag(name: str, value: Any, form: str) -> Sequence[str]:
    if value is None:
        return ()  # a parameter whose `when` does not hold
    if not isinstance(value, bool):
        raise CommandError(f"{{{name}:{form}}} needs true or false, not {shortened(value)}; write --{name} {{{name}}}")
    if value:
        return (f"--{name}",)
    return (f"--no-{name}",) if form == NO_FLAG else ()


def _inserted(name: str | None, values: Mapping[str, Any]) -> str:
    if name is None:
        return ""
    if name not in values:
        raise CommandError(f"{{{name}}} has no value here; a parameter with `when` is passed on by {{parameters}}")
    return str(values[name])
