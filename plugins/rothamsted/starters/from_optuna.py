"""Translate a Python script that uses Optuna: the suggest_* calls of its objective, its direction, sampler and trials.

The objective is used as it is: a small file beside the sweep file calls it with `optuna.trial.FixedTrial`, so that
`trial.suggest_float` gives the condition's value.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rothamsted.starters.optuna_script import OptunaScript, read_script
from rothamsted.starters.starter import StarterSweep, name_from

GUESSED_TRIALS = 30
_RESERVED = ("seed", "state", "found", "script", "search_objective", "definitions", "FixedTrial", "Path")


def from_optuna(path: str) -> StarterSweep:
    """Return the starter that a script with an Optuna objective becomes.

    Raises:
        SpecError: no such file, no Python, or no suggest_* call in it.
    """
    read = read_script(path)
    script = Path(path)
    beside = script.with_name(f"{script.stem}_study.py")
    guessed = ["replicates: 3; Optuna trains each condition once. The seed sets all global generators"]
    is_finite = read.sampler in ("grid", "exhaustive")
    if read.trials is None and not is_finite:
        guessed.append(f"trials: {GUESSED_TRIALS}; the script does not say n_trials")
    several = read.directions or ["minimize"]
    if not read.directions:
        guessed.append("objective.direction: minimize, Optuna's default")
    argument = _arguments(read)
    guessed += [
        f"space.{new}: is {old!r} in the script; this name can be a parameter"
        for old, new in argument.items()
        if old != new
    ]
    names = ["value"] if len(several) == 1 else [f"value_{n}" for n in range(len(several))]
    objectives = [{"metric": name, "direction": direction} for name, direction in zip(names, several, strict=True)]
    document = {
        "name": name_from(script.stem),
        "study": f"{beside}:train",
        "space": {argument[name]: domain for name, domain in read.space.items()},
        "objective": objectives[0] if len(objectives) == 1 else objectives,
        "sampler": read.sampler or "tpe",
        "trials": None if read.sampler == "grid" else read.trials or (None if is_finite else GUESSED_TRIALS),
        "timeout": read.seconds,
        "execution": {"workers": read.workers} if read.workers and read.workers > 0 else None,
        "replicates": 3,
    }
    return StarterSweep(
        comment=[f"From the Optuna objective {read.objective} of {path}"],
        document={key: value for key, value in document.items() if value is not None},
        left=read.left,
        guessed=guessed,
        beside={beside: _study_file(script, read, argument, names)},
    )


def _arguments(read: OptunaScript) -> dict[str, str]:
    """Name the argument of `train` for each parameter of the script: the same name if a function can have it."""
    found: dict[str, str] = {}
    taken = {*_RESERVED, *read.needs, read.objective}
    for name in read.space:
        new = re.sub(r"\W", "_", name)
        new = f"_{new}" if not new.isidentifier() else new
        while keyword.iskeyword(new) or new in taken:
            new += "_"
        taken.add(new)
        found[name] = new
    return found


def _study_file(script: Path, read: OptunaScript, argument: Mapping[str, str], names: list[str]) -> str:
    """The function study that asks the objective: its parameters are those that the trial suggested."""
    parameters = "".join(f", {argument[name]}: {_annotation(domain)}" for name, domain in read.space.items())
    values = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {argument[name]}" for name in read.space)
    result = f'{{"{names[0]}": found}}' if len(names) == 1 else f"dict(zip({names!r}, found))"
    imports, objective = _imports(script, read)
    return f'''"""The objective of {script.name} as a study: a FixedTrial of Optuna gives it the condition's values."""

{imports}

def train(seed: int{parameters}):
    found = {objective}(FixedTrial({{{values}}}))
    return {result}
'''


def _imports(script: Path, read: OptunaScript) -> tuple[str, str]:
    """The lines that import what the objective needs, and the objective's name there."""
    is_name = read.objective.isidentifier()
    needs = read.needs or ([read.objective] if is_name else [])
    made = "" if is_name else f"search_objective = {read.objective}\n"
    if not read.searches and script.stem.isidentifier():
        lines = "from optuna.trial import FixedTrial\n\n"
        lines += f"from {script.stem} import {', '.join(needs)}\n" if needs else ""
    else:  # its search is not run
        lines = (
            "from pathlib import Path\n\nfrom optuna.trial import FixedTrial\n\n"
            "from rothamsted.starters.definitions import definitions\n\n"
            f"script = definitions(Path(__file__).with_name({script.name!r}))\n"
        )
        lines += "".join(f"{name} = script.{name}\n" for name in needs)
    return lines + made, read.objective if is_name else "search_objective"


def _annotation(domain: Any) -> str:
    if isinstance(domain, Mapping):
        return "int" if isinstance(domain["low"], int) else "float"
    kinds = {type(value).__name__ for value in domain}
    return kinds.pop() if len(kinds) == 1 and domain != [None] else "object"
