"""Write a first sweep for a study in this project: its fields give the space, its metrics the objective."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rothamsted.errors import UserError
from rothamsted.given_files import read_given_text, reading
from rothamsted.mlproject import FILE_NAME, study_commands
from rothamsted.starters.starter import StarterSweep, name_from
from rothamsted.studies import Study, flatten
from rothamsted.studies.contract import DRIVER_METRICS
from rothamsted.suggest import known_names

_RATES = ("lr", "learning_rate", "rate", "alpha")
MOST_SCRIPTS = 200  # of a folder: more is no project of studies


def find_here(root: Path) -> list[str]:
    """Find the studies of a folder: entry points of its MLproject, and functions of its scripts that take a seed."""
    entries = sorted(study_commands(root)) if (root / FILE_NAME).is_file() else []
    scripts = [path for path in sorted(root.glob("*.py"))[:MOST_SCRIPTS] if path.name != "setup.py"]
    return [*entries, *(f"{path.name}:{name}" for path in scripts for name in functions_of(path))]


def functions_of(path: Path) -> list[str]:
    """List the functions of a script that could be studies: marked with @study, else those with a parameter `seed`."""
    try:
        text = read_given_text(path, way_out="correct it")
        with reading(path, way_out="correct it"):
            tree = ast.parse(text)
    except UserError:  # a file that is no program has no functions
        return []
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    marked = [one.name for one in functions if any("study" in ast.unparse(mark) for mark in one.decorator_list)]
    return marked or [one.name for one in functions if "seed" in {argument.arg for argument in one.args.args}]


def choose(target: str | None, root: Path) -> str:
    """Choose the study that is meant: the one that is named, else the only one here.

    Raises:
        UserError: there is none, or there are several.
    """
    found = find_here(root)
    if target is not None and target.endswith(".py"):
        found = [f"{target}:{name}" for name in functions_of(root / target)]
        what = f"{target}: no function with a parameter seed in it" if not found else ""
    elif target is not None:
        return target
    else:
        what = "" if found else f"{root}: no study here: no MLproject with one, no script with a function of a seed"
    if what:
        raise UserError(f"rothamsted init: {what}; write one, def train(seed: int, lr: float = 0.1): return loss")
    if len(found) > 1:
        raise UserError(f"rothamsted init: which study? {known_names('', found, word='there are')}; name one")
    return found[0]


def from_here(target: str, study: Study) -> StarterSweep:
    """Make the starter of a study.

    Args:
        target: as a sweep file names it.
        study: what it names.
    """
    guessed: list[str] = []
    space = _space(study, guessed)
    objective = _objective(study, guessed)
    document = {
        "name": name_from(f"{study.name}-first"),
        "study": target,
        "space": space,
        "objective": objective,
        "sampler": "grid",
        "replicates": 3,
        "confirm": {"replicates": 10},
    }
    varied = " and ".join(space)
    return StarterSweep(
        comment=[
            f"Question: which {varied} is best for {study.name}?",
            "Cost, expected result and source: write them here, the report shows them.",
        ],
        document=document,
        guessed=guessed,
    )


def _space(study: Study, guessed: list[str]) -> Mapping[str, Any]:
    """Around the default of a rate, or of the first number above zero; without one, the first choice."""
    defaults = _defaults(study)
    numbers = {name: one for name, one in defaults.items() if isinstance(one, float) and one > 0}
    rates = [name for name in numbers if name.rpartition(".")[2] in _RATES]
    chosen = next(iter(rates or numbers), None)
    if chosen is not None:
        middle = numbers[chosen]
        guessed.append(f"space.{chosen}: a tenth to ten times its default, {middle:g}")
        return {chosen: {"low": _short(middle / 10), "high": _short(middle * 10), "log": True, "points": 4}}
    whole = {
        name: one for name, one in defaults.items() if isinstance(one, int) and not isinstance(one, bool) and one > 0
    }
    if not whole:
        raise UserError(
            f"rothamsted init: {study.name} has no number with a default above zero to vary; give one of its "
            "parameters a default, such as lr: float = 0.1"
        )
    name, middle = next(iter(whole.items()))
    guessed.append(f"space.{name}: around its default, {middle}")
    return {name: sorted({max(1, middle // 2), middle, middle * 2})}


def _defaults(study: Study) -> dict[str, Any]:
    """Field -> default; a study whose fields all have one."""
    try:
        found = flatten(study.config())
    except ValueError as error:  # pydantic's: a field without a default
        missing = ", ".join(str(one["loc"][-1]) for one in getattr(error, "errors", list)())
        raise UserError(
            f"rothamsted init: {missing} of {study.name} has no default, so there is no value to start from; "
            "give it one, such as lr: float = 0.1"
        ) from None
    return {name: value for name, value in found.items() if name.rpartition(".")[2] != "seed"}


def _objective(study: Study, guessed: list[str]) -> Mapping[str, Any]:
    declared = {name: one for name, one in study.metrics.items() if one.direction is not None}
    own = [name for name in declared if name not in DRIVER_METRICS and not name.startswith("test/")]
    validated = [name for name in own if "val" in name]
    if found := (validated or own)[:1]:
        return {"metric": found[0], "direction": declared[found[0]].direction}
    guessed.append("objective: value, minimize; the study declares no metric with a direction")
    return {"metric": "value", "direction": "minimize"}


def _short(number: float) -> float:
    return float(f"{number:.3g}")
