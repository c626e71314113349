"""Take parameters from a separate file, such as a study's config for a run by hand. The sweep file overrides them.

Each error names the file that it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rothamsted.named_files import is_file
from rothamsted.spec.document import Document, read_document
from rothamsted.spec.parameters import flatten_parameters
from rothamsted.spec.target import Target

PARAMETERS_FILE = "parameters_file"

OwnNames = Callable[[str, Mapping[str, Any], str], Mapping[str, Any] | None]


def add_parameters_file(
    document: Document, target: Target, root: Path, in_own_names: OwnNames | None = None
) -> Document:
    """Add the parameters of the document's `parameters_file`, and remove that key.

    Parameters that the document fixes or varies win. The seed of the file is left out, because seeds come from the
    replicates.

    Args:
        document: a document with flat `parameters` and `space`.
        target: what is trained.
        root: root of the project, to which the path of the file is relative.
        in_own_names: (study, contents of the file, the file) -> the contents by the names of the study's fields, or
            None if they have those names already.

    Raises:
        SpecError: the path is not text, or the file cannot be read.
    """
    name = document.data.get(PARAMETERS_FILE)
    data = {key: value for key, value in document.data.items() if key != PARAMETERS_FILE}
    if name is None:
        return Document(source=document.source, data=data, places=document.places)
    if not isinstance(name, str) or not name:
        raise document.error((PARAMETERS_FILE,), f"must be the path of a JSON or YAML file, not {name!r}")
    if not is_file(root / name):
        reason = f"there is no file {name}; give a path from the project's root, such as projects/x/configs/y.yaml"
        raise document.error((PARAMETERS_FILE,), reason)
    read = read_document(root / name, source=name)
    study = document.data.get("study")
    named = in_own_names(study, read.data, name) if in_own_names is not None and study is not None else None
    below = Document(
        source=name,
        data={"parameters": read.data if named is None else dict(named)},
        places={("parameters", *path): place for path, place in read.places.items() if named is None},
    )
    below = flatten_parameters(below, target)
    space = document.data.get("space")
    given = {*document.data["parameters"], *(space if isinstance(space, dict) else ()), target.seed_parameter}
    taken: dict[str, Any] = {key: value for key, value in below.data["parameters"].items() if key not in given}
    data["parameters"] = {**taken, **document.data["parameters"]}
    places = {path: place for path, place in below.places.items() if path[1:2] and path[1] in taken}
    return Document(source=document.source, data=data, places={**places, **document.places})
