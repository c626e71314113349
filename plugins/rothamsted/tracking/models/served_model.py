"""Load a study's trained model for MLflow. A copy of this file is logged with every model.

It uses only the standard library, because it runs without the engine: MLflow puts the model's folder `code` on the
path, imports this file as the model's loader and calls `_load_pyfunc`.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

DESCRIPTION = "model.json"  # {"module": the study's package}
PICKLE = "model.pkl"


def _load_pyfunc(path: str) -> Any:
    """Return the model that the study's training returned.

    Args:
        path: the model's data folder, `<model>/data/<name>`; the study's code lies in `<model>/code`.

    Raises:
        ImportError: this process has imported the study already, from other code than the model's.
    """
    folder = Path(path)
    code = folder.parent.parent / "code"
    module = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))["module"]
    _find_beside_others(code, module)
    with (folder / PICKLE).open("rb") as file:
        model = pickle.load(file)
    _check_code(code, module)
    return model


def _find_beside_others(code: Path, module: str) -> None:
    """Let a package that was imported before, say for the model of another study, find this study too."""
    names = module.split(".")
    for depth in range(1, len(names)):
        package = sys.modules.get(".".join(names[:depth]))
        place = str(code.joinpath(*names[:depth]))
        if package is not None and place not in package.__path__:
            package.__path__.append(place)


def _check_code(code: Path, module: str) -> None:
    """A process holds one version of a module: with another one the model would predict something else."""
    for name, imported in list(sys.modules.items()):
        source = getattr(imported, "__file__", None)
        if source is None or not (name == module or name.startswith(f"{module}.")):
            continue
        own = code.joinpath(*name.split("."))
        own = own / "__init__.py" if hasattr(imported, "__path__") else own.with_suffix(".py")
        if Path(source) != own and not (own.is_file() and own.read_bytes() == Path(source).read_bytes()):
            raise ImportError(
                f"{own}: the model's code is not the {name} that this process has imported from {source}; "
                "load the model in a process of its own"
            )
