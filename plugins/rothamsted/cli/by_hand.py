"""The commands that run a study's own code by hand: train, and prepare_data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rothamsted.cli.arguments import pairs, take
from rothamsted.cli.usage import USAGES
from rothamsted.errors import UserError
from rothamsted.mlproject import FILE_NAME, find_home, find_root, study_commands
from rothamsted.studies import Study, load_study
from rothamsted.suggest import known_names

_BARE = ("--no-save", "--help")  # options of a study without a value


def train(arguments: Sequence[str]) -> int:
    """Train a study once: `rothamsted train batch_size optimizer.lr=0.1 --no-save`."""
    if not arguments or arguments[0].startswith("-"):
        known = ", ".join(sorted(study_commands(find_root(Path.cwd())))) or "none"
        raise UserError(
            f"rothamsted train: which study? write rothamsted train STUDY [FIELD=VALUE ...]; known: {known}"
        )
    return entry_point(arguments[0], arguments[1:])


def entry_point(name: str, arguments: Sequence[str]) -> int:
    """Run a study by hand: `rothamsted batch_size optimizer.lr=0.1`, or with --optimizer.lr 0.1."""
    from rothamsted.studies import main

    root = find_root(Path.cwd())
    known = study_commands(root)
    if name not in known:
        raise UserError(
            f"rothamsted {name}: no such command, and no study of {root / 'MLproject'}; "
            + known_names(name, [*USAGES, *sorted(known)])
        )
    return main(load_study(known[name], root), as_options(arguments)) or 0


def is_study(name: str) -> bool:
    """Whether the MLproject here, if there is one, has a study of this name."""
    root = find_home(Path.cwd())
    return (root / FILE_NAME).is_file() and name in study_commands(root)


def as_options(words: Sequence[str]) -> list[str]:
    """`lr=0.1 --set 'a=1 b=2'` as `--lr=0.1 --set 'a=1 b=2'`, which the study's own command line takes."""
    found: list[str] = []
    for word in words:
        before = found[-1] if found else ""
        is_value = before.startswith("--") and "=" not in before and before not in _BARE
        is_pair = "=" in word and word.partition("=")[0].replace(".", "_").isidentifier()
        found.append(f"--{word}" if is_pair and not is_value else word)
    return found


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
    """The data sets of the studies here, with their options."""
    from rothamsted.studies import describe_datasets

    return describe_datasets(_studies(find_root(Path.cwd())))


def _studies(root: Path) -> list[Study]:
    return [load_study(command, root) for command in study_commands(root).values()]
