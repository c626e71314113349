"""List the sweep files of a project's folder `sweeps` with question and cost, and find the one that a name means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from rothamsted.errors import SpecError, UserError
from rothamsted.spec.comment import headed, opening_comment
from rothamsted.suggest import known_names
from rothamsted.yaml_text import load, read_text

FOLDER = "sweeps"


@dataclass(frozen=True, kw_only=True)
class ShippedSweep:
    """Names a sweep file that can be started by its name.

    Attributes:
        path: of the file.
        short: the path below `sweeps`, without its ending: `batch_size/fixed_batch`.
        name: what the file calls the sweep; empty: it has no name, or is no sweep file.
        question, cost: of its opening comment; empty: it does not say.
    """

    path: Path
    short: str
    name: str
    question: str
    cost: str

    @property
    def plain(self) -> dict[str, str]:
        """Return the sweep file as JSON has it."""
        return {
            "file": str(self.path),
            "short": self.short,
            "name": self.name,
            "question": self.question,
            "cost": self.cost,
        }

    def is_called(self, word: str) -> bool:
        """Say whether a word means this file: its name, the file's name, or the path below `sweeps`."""
        return word in (self.name, self.short, self.path.stem)


def shipped_sweeps(root: Path) -> list[ShippedSweep]:
    """List the sweep files below `root/sweeps`, in the order of their paths; none if there is no such folder.

    Args:
        root: the project's folder.
    """
    folder = root / FOLDER
    paths = sorted(path for ending in ("*.yaml", "*.yml") for path in folder.rglob(ending))
    return [_read(path, folder) for path in paths]


def shipped_named(word: str, root: Path) -> ShippedSweep | None:
    """Find the sweep file that a word means; None: none does.

    Args:
        word: `fixed_batch`, `fixed-batch` or `batch_size/fixed_batch`.
        root: the project's folder.

    Raises:
        UserError: several files are called so.
    """
    found = [one for one in shipped_sweeps(root) if one.is_called(word)]
    if len(found) > 1:
        raise UserError(f"{word}: several sweep files have this name; give one of {', '.join(s.short for s in found)}")
    return found[0] if found else None


def not_found(word: str, known: Sequence[ShippedSweep]) -> UserError:
    """Return the error that no file is called so, with the nearest names."""
    names = [name for one in known for name in (one.path.stem, one.short)]
    return UserError(
        f"{word}: there is no such file, and no sweep of the folder {FOLDER} has this name; "
        f"{known_names(word, names)}; rothamsted list shows them"
    )


def _read(path: Path, folder: Path) -> ShippedSweep:
    text, data = "", None
    try:
        text = read_text(path, str(path), way_out="correct it")
        data = load(text)
    except (SpecError, yaml.YAMLError):  # `check` says what is wrong with it
        pass
    name = data.get("name") if isinstance(data, Mapping) else None
    said = dict(reversed(headed(opening_comment(text))))  # of two lines of one word the first
    return ShippedSweep(
        path=path,
        short=str(path.relative_to(folder).with_suffix("")),
        name=name if isinstance(name, str) else "",
        question=said.get("Question", ""),
        cost=said.get("Cost", ""),
    )
