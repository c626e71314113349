"""Run the commands that help to begin: explain a key, write a first sweep file, complete words in a shell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted.cli.arguments import pairs, take
from rothamsted.cli.screen import screen_of
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home
from rothamsted.suggest import known_names

if TYPE_CHECKING:
    from rothamsted.starters.starter import StarterSweep

NOT_YET = 3  # exit status


def explain(arguments: Sequence[str]) -> int:
    """Say what a key of the sweep file means; without a key, list all."""
    from rothamsted.spec import explain as keys

    found, screen = pairs(arguments, command="explain"), screen_of(arguments, command="explain")
    key = take(found, "key")
    if key is None:
        all_keys = keys.explained_keys()
        width = max(map(len, all_keys))
        screen.show(*(f"{one.key:{width}}  {one.meaning}" for one in all_keys.values()))
        screen.give({name: dataclasses.asdict(one) for name, one in all_keys.items()})
        return 0
    one = keys.explain(key)
    lines = [
        f"{one.key}: {one.meaning}",
        f"  type: {one.type}",
        f"  default: {one.default}",
        f"  example: {one.example}",
    ]
    screen.show(*lines)
    screen.give(dataclasses.asdict(one))
    return 0


def completion(arguments: Sequence[str]) -> int:
    """Print the script that completes words in a shell."""
    from rothamsted.cli.completion import SHELLS, script
    from rothamsted.spec.explain import explained_keys

    shell = take(pairs(arguments, command="completion"), "shell")
    if shell is None or shell not in SHELLS:
        what = "which shell? " if shell is None else f"no script for {shell}; "
        raise UserError(f"rothamsted completion: {what}{known_names(shell or '', SHELLS)}")
    print(script(shell, tuple(explained_keys())), end="")
    return 0


def init(arguments: Sequence[str]) -> int:
    """Write a sweep file to start from; exit status 3 where something is left to be written into it by hand."""
    from rothamsted.starters.starter import write_starter

    found, screen = pairs(arguments, command="init"), screen_of(arguments, command="init")
    source, tool, output = take(found, "source"), take(found, "from"), take(found, "output")
    study = take(found, "study")
    root = find_home(Path.cwd())
    if source is not None and tool is None and output is None and source.endswith((".yaml", ".yml")):
        source, output = None, source  # `init mine.yaml`: the file to write
    starter = _starter(source, tool, root, study=study)
    path = Path(output or f"{starter.document['name']}.yaml")
    write_starter(starter, path)
    for one in (path, *starter.beside):
        screen.say(f"written: {one}")
    screen.say(
        *(f"not translated: {line}" for line in starter.left), *(f"filled in: {line}" for line in starter.guessed)
    )
    problem = _problem(path, root)
    screen.give({"file": str(path), "left": list(starter.left), "filled_in": list(starter.guessed), "problem": problem})
    if problem:
        screen.say(f"check does not take it yet: {problem}")
        return NOT_YET
    screen.say(f"next: rothamsted check {path}    # then rothamsted sweep {path}")
    return 0


def _starter(source: str | None, tool: str | None, root: Path, *, study: str | None) -> StarterSweep:
    """What a file or a study of Optuna becomes, or the first sweep of a study that is here."""
    from rothamsted.starters import from_here, from_hydra, from_optuna, from_optuna_storage, from_wandb
    from rothamsted.studies import find

    is_storage = source is not None and "://" in source
    if study is not None and not is_storage:
        raise UserError(
            "rothamsted init: study= names a study of an Optuna storage; give its address, sqlite:///old.db"
        )
    if source is not None and is_storage and tool == "optuna":
        return from_optuna_storage.from_optuna_storage(source, study)
    if tool is None:
        target = from_here.choose(source, root)
        return from_here.from_here(target, find(target, root))
    translators: Mapping[str, Callable[[str], StarterSweep]] = {
        "optuna": from_optuna.from_optuna,
        "wandb": from_wandb.from_wandb,
        "hydra": partial(from_hydra.from_hydra, here=root),
    }
    if tool not in translators:
        raise UserError(f"rothamsted init: from={tool} is not known; {known_names(tool, translators)}")
    if source is None:
        what = "script with the objective, or storage" if tool == "optuna" else "YAML file"
        raise UserError(f"rothamsted init: which {what}? write rothamsted init FILE from={tool}")
    return translators[tool](source)


def _problem(path: Path, root: Path) -> str:
    """What `check` has against a file that was just written; empty: nothing."""
    from rothamsted.sweeping.open.from_file import load

    try:
        load(path, {}, root)
    except UserError as error:
        return " ".join(str(error).split())
    return ""
