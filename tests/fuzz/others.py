"""Kinds that others have written: files to translate, MLproject, commands; and expressions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.fuzz.harness import FaultError, Kind
from tests.fuzz.mutators import mutate_text, mutate_yaml, several
from tests.starters.test_translated import HYDRA, OPTUNA, WANDB

ROOT = Path(__file__).resolve().parent.parent.parent
EXPRESSIONS = (
    "val_acc - max(0, train_acc - val_acc - 3)",
    "{train/acc} - 3 * sqrt(abs(seconds)) ** 2 / (1 + n)",
    "seconds < 60",
    "min(a, b, 2.5e-3) + log10(x) % 7 >= -exp(y)",
)
COMMANDS = (
    "python train.py {parameters}",
    "python -m pkg.train --lr {lr} --seed={seed} {fast:flag} --out {output}",
    "sh run.sh '{a b}' \"x y\" {overrides} {config}",
)


def _text_or_tree(seeds: Sequence[str], random: random.Random) -> str:
    change = random.choice((mutate_text, mutate_yaml))
    return several(lambda text: change(text, random, seeds), random.choice(seeds), random)


def _as_text(seeds: Sequence[str], random: random.Random) -> str:
    return several(lambda text: mutate_text(text, random, seeds), random.choice(seeds), random)


def _written(text: str, given: Path, name: str) -> str:
    path = given / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return str(path)


def _check_starter(starter: Any) -> None:
    found = yaml.safe_load(starter.text)
    if list(found) != list(starter.document):
        raise FaultError(f"writes the keys {list(found)}, not {list(starter.document)}")


def _run_translated(text: str, given: Path) -> None:
    from rothamsted.starters.from_hydra import from_hydra
    from rothamsted.starters.from_wandb import from_wandb

    path = _written(text, given, "config.yaml")
    _check_starter(from_hydra(path, here=given) if "hydra" in text else from_wandb(path))


def _run_optuna(text: str, given: Path) -> None:
    from rothamsted.starters.from_optuna import from_optuna

    _check_starter(from_optuna(_written(text, given, "train.py")))


def _run_mlproject(text: str, given: Path) -> None:
    from rothamsted.mlproject import read_mlproject

    _written(text, given, "MLproject")
    for name, entry in read_mlproject(given).entry_points.items():
        if not isinstance(name, str) or not isinstance(entry.command, str):
            raise FaultError(f"entry point {name!r} is no text")


def _run_expression(text: str, given: Path) -> None:
    from rothamsted.expression import Constraint, Expression

    is_bound = any(sign in text for sign in "<>")
    read = Constraint(text) if is_bound else Expression(text)
    values = {name: 0.5 + n for n, name in enumerate(sorted(read.names))}
    number = read.violation(values) if isinstance(read, Constraint) else read.evaluate(values)
    if not isinstance(number, float):
        raise FaultError(f"gives {number!r}")


def _run_command(text: str, given: Path) -> None:
    from rothamsted.spec.command import read_command

    command = read_command(text)
    if read_command(command.text) != command:
        raise FaultError(f"written as {command.text!r}, it is another command")


KINDS = (
    Kind(name="wandb and hydra files", seeds=lambda: (WANDB, HYDRA), mutate=_text_or_tree, run=_run_translated),
    Kind(name="optuna scripts", seeds=lambda: (OPTUNA,), mutate=_as_text, run=_run_optuna),
    Kind(name="mlproject", seeds=lambda: ((ROOT / "MLproject").read_text(),), mutate=_text_or_tree, run=_run_mlproject),
    Kind(name="expressions", seeds=lambda: EXPRESSIONS, mutate=_as_text, run=_run_expression),
    Kind(name="commands", seeds=lambda: COMMANDS, mutate=_as_text, run=_run_command),
)
