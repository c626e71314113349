"""`import rothamsted` is quick: it imports nothing that is not needed yet."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import rothamsted

HEAVY = {
    "mlflow",
    "optuna",
    "pandas",
    "numpy",
    "scipy",
    "matplotlib",
    "torch",
    "jax",
    "sklearn",
    "pydantic",
    "sqlalchemy",
}


def modules_after(code: str) -> set[str]:
    """The modules of a fresh process after some code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    return set(json.loads(told.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_heavy() -> None:
    plain = modules_after("pass")
    found = modules_after("import rothamsted as rt")
    assert {name for name in found if name.partition(".")[0] == "rothamsted"} == {"rothamsted"}
    assert not HEAVY & found
    # The interpreter's own beside the package itself: `typing` and what it needs.
    assert len(found - plain) < 40


def test_a_space_is_made_without_mlflow_optuna_and_pandas() -> None:
    found = modules_after("import rothamsted as rt; rt.uniform(0, 1)")
    assert not {"mlflow", "optuna", "pandas", "matplotlib"} & found


def test_the_types_that_editors_see_are_those_of_the_table_of_names() -> None:
    stub = ast.parse((Path(rothamsted.__file__).parent / "__init__.pyi").read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == alias.asname
    }
    assert seen == rothamsted._HOMES
    assert all(hasattr(rothamsted, name) for name in rothamsted._HOMES)
