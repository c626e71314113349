"""Find what the word after `sweep` and `check` means: a sweep file, its name, or what is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rothamsted.cli.after_dashes import COMMAND
from rothamsted.cli.arguments import take
from rothamsted.inventory.shipped import not_found, shipped_named, shipped_sweeps
from rothamsted.mlproject import FILE_NAME, study_commands
from rothamsted.named_files import is_file

FILES = (".yaml", ".yml", ".json")
_OBJECTIVE = ("objective", "metric")


def take_file(found: dict[str, str], root: Path, *, default: str | None = None) -> str | None:
    """Remove `config` and return the sweep file; None where what is trained is named in place of a file.

    A sweep file of the folder `sweeps` may be called by its name alone: `fixed_batch`, `batch_size/fixed_batch`.

    `train.py:train` and an entry point become the key `study`, and name, metric and sampler get what a call gives them.

    Args:
        found: the keys of the command line.
        root: of the project.
        default: the file where nothing is named.

    Raises:
        UserError: no sweep file is called so, or several are.
    """
    word = take(found, "config")
    if word is None:
        return None if COMMAND in found or "study" in found else default
    if not _is_target(word, root):
        return _file_of(word, root)
    found["study"] = word
    from rothamsted.studies import find
    from rothamsted.sweeping.open.usual import usual_metric, usual_name, usual_sampler

    found.setdefault("name", usual_name(word))
    if not _says(found, *_OBJECTIVE) and (metric := usual_metric(find(word, root))) is not None:
        found["metric"] = metric
    if "trials" in found and not _says(found, "sampler"):
        found["sampler"] = usual_sampler(has_trials=True, is_finite=True)
    return None


def _file_of(word: str, root: Path) -> str:
    """The sweep file that a word is, or is the name of.

    Raises:
        UserError: there is none, or there are several.
    """
    if word.endswith(FILES) or is_file(word):
        return word
    shipped = shipped_named(word, root)
    if shipped is None and (known := shipped_sweeps(root)):
        raise not_found(word, known)
    if shipped is None:
        return word
    here = Path.cwd()  # a path as a user would write it: it goes on record
    return str(shipped.path.relative_to(here) if shipped.path.is_relative_to(here) else shipped.path)


def _is_target(word: str, root: Path) -> bool:
    if word.endswith(FILES) or (is_file(word) and not word.endswith(".py")):
        return False
    is_entry = (root / FILE_NAME).is_file() and word in study_commands(root)
    return is_entry or word.endswith(".py") or ":" in word


def _says(found: Mapping[str, str], *keys: str) -> bool:
    """Whether the command line gives one of these keys, or one below."""
    return any(key.partition(".")[0] in keys for key in found)
