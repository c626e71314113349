"""Read the objective of a run from one of its artifacts: a number in a JSON or YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from rothamsted.errors import UserError
from rothamsted.tracking import list_files, read_text
from rothamsted.yaml_text import load, load_json


class ObjectiveError(UserError):
    """Says that a run does not have the objective that the sweep file names."""


def read_objective_artifact(run_id: str, path: str, key: str, *, uri: str) -> float:
    """Read a number from an artifact of a run.

    Args:
        run_id: the run.
        path: the artifact, ending in .json, .yaml or .yml; slashes for folders.
        key: the number's place in it, dots between levels; a whole number is a position in a list.
        uri: the tracking URI.

    Raises:
        ObjectiveError: no such artifact, not JSON or YAML, no such key, not a number.
        StoreError: the store cannot be read.
    """
    place = f"run {run_id}: artifact {path!r}"
    suffix = PurePosixPath(path).suffix
    if suffix not in (".json", ".yaml", ".yml"):
        raise ObjectiveError(f"{place}: must end in .json, .yaml or .yml, not {suffix!r}; name another")
    text = read_text(run_id, path, uri=uri)
    if text is None:
        folder = str(PurePosixPath(path).parent)
        there = list_files(run_id, "" if folder == "." else folder, uri=uri)
        raise ObjectiveError(f"{place}: is not there; there are: {', '.join(there) or 'none in this folder'}")
    try:
        document = load_json(text) if suffix == ".json" else load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ObjectiveError(f"{place}: cannot be read: {' '.join(str(error).split())}") from None
    return _number(_at(document, key, place), f"{place}: {key}")


def _at(document: Any, key: str, place: str) -> Any:
    """The value under a dotted key; a key that holds the dots itself comes first."""
    if isinstance(document, Mapping) and key in document:
        return document[key]
    value, passed = document, []
    for part in key.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, Sequence) and not isinstance(value, str) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            known = ", ".join(str(name) for name in value) if isinstance(value, Mapping) else f"no keys in {value!r}"
            where = f"{place}: {'.'.join(passed)}" if passed else place
            raise ObjectiveError(f"{where}: has no key {part!r}; known: {known[:200]}")
        passed.append(part)
    return value


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ObjectiveError(f"{place}: must be a number, not {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ObjectiveError(f"{place}: must be a number that a float can hold, not {value!r}") from None
