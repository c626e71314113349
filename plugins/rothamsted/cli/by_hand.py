"""Run the commands that run a study's own code by hand: train, and prepare_data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rothamsted.cli.arguments import pairs, take
from rothamsted.cli.hydra_search import as_search, sweep_line
from rothamsted.cli.usage import USAGES
from rothamsted.errors import UserError
from rothamsted.mlproject import FILE_NAME, find_home, find_root, study_commands
from rothamsted.printable import printable
from rothamsted.studies import Study, has_several, load_study
from rothamsted.suggest import known_names


def train(arguments: Sequence[str]) -> int:
    """Train a study once: `rothamsted train batch_size optimizer.lr=0.1 --no-save`."""
    if not arguments or arguments[0].startswith("-"):
        from rothamsted.starters.from_here import find_here

        known = ", ".join(find_here(find_home(Path.cwd()))) or "none"
        raise UserError(f"rothamsted train: which study? write rothamsted train STUDY [FIELD=VALUE ...]; here: {known}")
    name, words = arguments[0], list(arguments[1:])
    if not has_several(words):
        return entry_point(name, words)
    if (searched := as_search(words)) is not None:
        from rothamsted.cli.commands import sweep

        line = sweep_line(_study(name), name, searched)
        print(printable(f"the same as: rothamsted sweep {shlex.join(line)}"), flush=True)
        return sweep(line)
    try:
        return entry_point(name, words)
    except SystemExit as ended:  # a study's own command line ends with its status
        return int(ended.code or 0)


def entry_point(name: str, arguments: Sequence[str]) -> int:
    """Run a study by hand: `rothamsted batch_size optimizer.lr=0.1`, or with --optimizer.lr 0.1."""
    from rothamsted.studies import main

    return main(_study(name), arguments) or 0


def _study(name: str) -> Study:
    """A study of the project here, or of a script."""
    from rothamsted.studies import find, is_script

    if is_script(name):
        return find(name, find_home(Path.cwd()))
    root = find_home(Path.cwd())
    has_studies = (root / FILE_NAME).is_file()
    known = study_commands(root) if has_studies else {}
    if name not in known:
        where = f"no study of {root / FILE_NAME}" if has_studies else f"no {FILE_NAME} with studies is in {root}"
        nearest = known_names(name, [*USAGES, *sorted(known)])
        raise UserError(f"rothamsted {name}: no such command, and {where}; {nearest}")
    return load_study(known[name], root)


def is_study(name: str) -> bool:
    """Say whether the MLproject here, if there is one, has a study of this name."""
    from rothamsted.studies import is_script

    root = find_home(Path.cwd())
    return is_script(name) or ((root / FILE_NAME).is_file() and name in study_commands(root))


def prepare_data(arguments: Sequence[str]) -> int:
    """Make the data file of one of the studies' datasets."""
    from rothamsted.studies import prepare_data as prepare

    found = pairs(arguments, command="prepare_data")
    dataset, source, target = take(found, "dataset"), take(found, "source"), take(found, "target")
    if dataset is None:
        raise UserError("rothamsted prepare_data: which dataset? write rothamsted prepare_data NAME; --help lists them")
    studies = _studies(find_root(Path.cwd()))
    path = prepare(studies, dataset, source, Path(target) if target else None, found)
    print(f"{dataset} is ready: {path}")
    return 0


def data_sets() -> str:
    """List the data sets of the studies here, with their options."""
    from rothamsted.studies import describe_datasets

    return describe_datasets(_studies(find_root(Path.cwd())))


def _studies(root: Path) -> list[Study]:
    return [load_study(command, root) for command in study_commands(root).values()]
