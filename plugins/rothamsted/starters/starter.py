"""Hold a sweep file before it is written: its contents, and what could not be translated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rothamsted.errors import UserError, as_line
from rothamsted.recordable import MAX_NAME

FLOW_WIDTH = 2**31  # characters: each key stays on its line
NAME_RULE = f"a name may have {MAX_NAME} printable characters; give the parameter a shorter one"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


SAMPLERS = {  # a class of Optuna -> its name in a sweep file
    "TPESampler": "tpe",
    "RandomSampler": "random",
    "CmaEsSampler": "cmaes",
    "NSGAIISampler": "nsgaii",
    "NSGAIIISampler": "nsgaiii",
    "QMCSampler": "qmc",
    "GPSampler": "gp",
    "GridSampler": "grid",
    "BruteForceSampler": "exhaustive",
}


@dataclass(frozen=True, kw_only=True)
class StarterSweep:
    """Holds a sweep file about to be written.

    Attributes:
        comment: its first lines, without the #.
        document: key -> value, in the order in which they are written.
        left: what could not be translated, a line each with its place: it stands in the file, too.
        guessed: what was filled in because the source does not say it, a line each.
        beside: other files that it needs: path -> text.
    """

    comment: Sequence[str]
    document: Mapping[str, Any]
    left: Sequence[str] = ()
    guessed: Sequence[str] = ()
    beside: Mapping[Path, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Write the file: a comment, then a key a line; a space with a line for each parameter."""
        lines = [f"# {as_line(line)}" for text in self.comment for line in text.splitlines()]
        space = self.document.get("space")
        names = [str(name) for name in space] if isinstance(space, Mapping) else []
        left = [*self.left, *(f"{name[:40]}: {NAME_RULE}" for name in names if not is_name(name))]
        for heading, marks in (("Not translated:", left), ("Filled in; check these:", self.guessed)):
            lines += [f"# {heading}", *(f"#   {as_line(mark)}" for mark in marks)] if marks else []
        for key, value in self.document.items():
            if key == "space" and isinstance(value, Mapping) and value:
                kept = {name: domain for name, domain in value.items() if is_name(str(name))}
                lines += ["space:" if kept else "space: {}", *(f"  {_yaml({name: kept[name]})}" for name in kept)]
            else:
                lines.append(_yaml({key: value}))
        return "\n".join([*lines, ""])


def _yaml(value: Mapping[str, Any]) -> str:
    """One key with its value on one line."""
    [(key, inner)] = value.items()
    return f"{_on_a_line(key)}: {_on_a_line(_plain(inner))}"


def _on_a_line(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=FLOW_WIDTH)
    return text.removesuffix("...\n").strip()


def _plain(value: Any) -> Any:
    """A value with every number with an exponent, 1e-5 of a file, as a plain number."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, float) else value


def is_name(name: str) -> bool:
    """Say whether a parameter may be called so."""
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def name_from(text: str) -> str:
    """Make the name of a sweep from a text: letters, digits, '.', '_' and '-', at most 60."""
    return _NOT_IN_NAMES.sub("-", text).strip("-._")[:60] or "sweep"


def write_starter(starter: StarterSweep, path: Path) -> None:
    """Write the file, and those beside it; none of them is there yet.

    Raises:
        UserError: one of them is there, or cannot be written.
    """
    files = {path: starter.text, **starter.beside}
    for one in files:
        if one.exists():
            raise UserError(f"{one}: is there already and is not overwritten; give another with output=FILE")
    for one, text in files.items():
        try:
            one.parent.mkdir(parents=True, exist_ok=True)
            with one.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise UserError(f"{one}: cannot be written: {error.strerror}; give another with output=FILE") from error
