"""Translate a Python script that uses Optuna: the suggest_* calls of its objective, its direction, sampler and trials.

The script is read, not run. The objective is used as it is: a small file beside the sweep file calls it with
`optuna.trial.FixedTrial`, so that `trial.suggest_float` gives the condition's value. Values that are not plain numbers
or names in the source are listed with their lines.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rothamsted.errors import SpecError
from rothamsted.starters.starter import NAME_RULE, SAMPLERS, StarterSweep, is_name, name_from
from rothamsted.yaml_text import read_text

GUESSED_TRIALS = 30
_KINDS = {
    "suggest_float": float,
    "suggest_uniform": float,
    "suggest_loguniform": float,
    "suggest_discrete_uniform": float,
    "suggest_int": int,
    "suggest_categorical": None,
}
_PRUNED = "trial.report and trial.should_prune do nothing here: a pruner needs a function that yields its metric"


@dataclass(kw_only=True)
class _Read:
    """What is found in a script."""

    space: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    objective: str = ""  # the function whose trial is asked
    directions: list[str] = field(default_factory=list)
    sampler: str = ""
    trials: int | None = None
    seconds: float | None = None
    workers: int | None = None


def from_optuna(path: str) -> StarterSweep:
    """Make the starter that a script with an Optuna objective becomes.

    Raises:
        SpecError: no such file, no Python, or no suggest_* call in it.
    """
    text, read = read_text(path, path, way_out="give the file to translate"), None
    try:
        read = _read(text, path)
    except SyntaxError as error:
        raise SpecError(
            f"{path}:{error.lineno}: is not Python: {error.msg}; give a script with an Optuna objective"
        ) from None
    except (ValueError, RecursionError, MemoryError):  # a NUL, or what is nested too deep for Python's parser
        pass
    if read is None:
        raise SpecError(f"{path}: cannot be read as Python; give a script with an Optuna objective")
    if not read.objective:
        raise SpecError(f"{path}: no call such as trial.suggest_float in it; give the script that has the objective")
    return _starter(path, read)


def _read(text: str, path: str) -> _Read:
    with warnings.catch_warnings(action="ignore"):  # Python's of this script, which is not run here
        tree, read = ast.parse(text), _Read()
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        _read_objective(function, path, read)
    if read.objective:
        _read_study(tree, path, read)
    return read


def _starter(path: str, read: _Read) -> StarterSweep:
    script = Path(path)
    beside = script.with_name(f"{script.stem}_study.py")
    guessed = ["replicates: 3; Optuna trains each condition once. The seed sets all global generators"]
    is_finite = read.sampler in ("grid", "exhaustive")
    if read.trials is None and not is_finite:
        guessed.append(f"trials: {GUESSED_TRIALS}; the script does not say n_trials")
    several = read.directions or ["minimize"]
    if not read.directions:
        guessed.append("objective.direction: minimize, Optuna's default")
    names = ["value"] if len(several) == 1 else [f"value_{n}" for n in range(len(several))]
    objectives = [{"metric": name, "direction": direction} for name, direction in zip(names, several, strict=True)]
    document = {
        "name": name_from(script.stem),
        "study": f"{beside}:train",
        "space": read.space,
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
        beside={beside: _study_file(script, read, names)},
    )


def _study_file(script: Path, read: _Read, names: list[str]) -> str:
    """The function study that asks the objective: its parameters are those that the trial suggested."""
    kinds = {name: _annotation(domain) for name, domain in read.space.items()}
    plain = all(name.isidentifier() for name in kinds)
    parameters = "".join(f", {name}: {kind}" for name, kind in kinds.items()) if plain else ""
    values = ", ".join(f'"{name}": {name}' for name in kinds)
    result = f'{{"{names[0]}": found}}' if len(names) == 1 else f"dict(zip({names!r}, found))"
    return f'''"""The objective of {script.name} as a study: a FixedTrial of Optuna gives it the condition's values."""

from optuna.trial import FixedTrial

from {script.stem} import {read.objective}


def train(seed: int{parameters}):
    found = {read.objective}(FixedTrial({{{values}}}))
    return {result}
'''


def _annotation(domain: Any) -> str:
    if isinstance(domain, Mapping):
        return "int" if isinstance(domain["low"], int) else "float"
    kinds = {type(value).__name__ for value in domain}
    return kinds.pop() if len(kinds) == 1 else "object"


def _read_objective(function: ast.FunctionDef, path: str, read: _Read) -> None:
    for call, is_always in _calls(function.body, is_always=True):
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        place = f"{path}:{call.lineno}"
        if method in _KINDS:
            read.objective = read.objective or function.name
            if function.name != read.objective:
                read.left.append(f"{place}: {method} in {function.name}; only {read.objective} is translated")
            else:
                _read_suggestion(call, method, place, read, is_always=is_always)
        elif method in ("report", "should_prune") and read.objective == function.name:
            read.left.append(f"{place}: {_PRUNED}")


def _read_suggestion(call: ast.Call, method: str, place: str, read: _Read, *, is_always: bool) -> None:
    try:
        values = [ast.literal_eval(argument) for argument in call.args]
        named = {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg}
        domain = _domain(method, values[1:], {key: value for key, value in named.items() if key != "name"})
        name = values[0] if values else named["name"]
    except (ValueError, KeyError, IndexError, TypeError, OverflowError):
        what = ast.unparse(call)
        read.left.append(f"{place}: {what} has no plain numbers or names; give the parameter a domain in space")
        return
    if isinstance(name, str) and not is_name(name):
        read.left.append(f"{place}: {NAME_RULE}")
        return
    if not isinstance(name, str) or read.space.get(name, domain) != domain:
        read.left.append(f"{place}: {name!r} is suggested again with another domain; the first is kept")
        return
    read.space[name] = domain
    if not is_always:
        read.left.append(f"{place}: {name} is suggested only sometimes; here it always is: give its domain a when")


def _domain(method: str, values: list[Any], named: dict[str, Any]) -> Any:
    """A domain of ours from the arguments of a suggest_* call after the name."""
    if method == "suggest_categorical":
        return list(values[0] if values else named["choices"])
    keys = ("low", "high", "q") if method == "suggest_discrete_uniform" else ("low", "high", "step", "log")
    given = {**dict(zip(keys, values)), **named}
    kind: Any = _KINDS[method]
    domain: dict[str, Any] = {"low": kind(given["low"]), "high": kind(given["high"])}
    if given.get("log") or method == "suggest_loguniform":
        domain["log"] = True
    step = given.get("q", given.get("step"))
    if step is not None and not (kind is int and step == 1):
        domain["step"] = kind(step)
    return domain


def _read_study(tree: ast.Module, path: str, read: _Read) -> None:
    """What create_study and optimize say."""
    for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        method = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named = {one.arg: one.value for one in call.keywords if one.arg}
        if method == "create_study":
            _read_create(named, f"{path}:{call.lineno}", read)
        elif method == "optimize":
            if len(call.args) > 1:
                named.setdefault("n_trials", call.args[1])
            read.trials, read.workers = _whole(named.get("n_trials")), _whole(named.get("n_jobs"))
            read.seconds = _number(named.get("timeout"))
            for key in named:
                if key not in ("n_trials", "n_jobs", "timeout", "func"):
                    read.left.append(f"{path}:{call.lineno}: optimize({key}=…) has no counterpart")


def _read_create(named: Mapping[str, ast.expr], place: str, read: _Read) -> None:
    for key, value in named.items():
        text = ast.unparse(value)
        if key in ("direction", "directions"):
            words = [one for one in ("minimize", "maximize") if one in text.lower()]
            found = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)] or words
            read.directions = [str(one) for one in found]
        elif key == "sampler":
            name = next((ours for theirs, ours in SAMPLERS.items() if f"{theirs}(" in text), "")
            read.sampler = name
            if not name:
                read.left.append(f"{place}: sampler {text} has no counterpart; sampler tpe is used instead")
        elif key == "pruner":
            read.left.append(f"{place}: pruner {text}: {_PRUNED}")
        elif key not in ("study_name", "storage", "load_if_exists"):
            read.left.append(f"{place}: create_study({key}=…) has no counterpart")


def _calls(body: list[ast.stmt], *, is_always: bool) -> Iterator[tuple[ast.Call, bool]]:
    """The calls in a function, in order, and whether each is made in every trial."""
    for statement in body:
        branches = isinstance(statement, (ast.If, ast.For, ast.While, ast.Try, ast.Match))
        if not branches:
            calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
            yield from ((call, is_always) for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)))
            continue
        inner = [one for one in ast.walk(statement) if isinstance(one, ast.Call)]
        yield from ((call, False) for call in sorted(inner, key=lambda call: (call.lineno, call.col_offset)))


def _whole(node: ast.expr | None) -> int | None:
    value = _number(node)
    if value is None or isinstance(value, int):
        return value
    return int(value) if math.isfinite(value) and value == int(value) else None


def _number(node: ast.expr | None) -> float | None:
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        return None
    return node.value
