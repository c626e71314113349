"""The commands that run a study's own code by hand: train, and prepare_data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rothamsted.cli.arguments import pairs, take
from rothamsted.cli.usage import USAGES
from rothamsted.errors import UserError
from rothamsted.mlproject import FILE_NAME, find_home, find_root, study_commands
from rothamsted.studies import Study, load_study
from rothamsted.suggest import known_names

_EACH = {"-m", "--multirun"}  # as Hydra writes it: train every combination
_STOPPED = (130, 143)  # exit statuses after Ctrl-C and SIGTERM
_BARE = ("--no-save", "--help")  # options of a study without a value


def train(arguments: Sequence[str]) -> int:
    """Train a study once: `rothamsted train batch_size optimizer.lr=0.1 --no-save`."""
    if not arguments or arguments[0].startswith("-"):
        from rothamsted.starters.from_here import find_here

        known = ", ".join(find_here(find_home(Path.cwd()))) or "none"
        raise UserError(f"rothamsted train: which study? write rothamsted train STUDY [FIELD=VALUE ...]; here: {known}")
    name, words = arguments[0], list(arguments[1:])
    if not _EACH & set(words):
        return entry_point(name, words)
    worst = 0
    for one in combinations([word for word in words if word not in _EACH]):
        print(f"train {name} {' '.join(one)}", flush=True)
        try:
            entry_point(name, one)
        except SystemExit as ended:  # a study's own command line ends with its status
            worst = max(worst, int(ended.code or 0))
        if worst in _STOPPED:
            break
    return worst


def combinations(words: Sequence[str]) -> list[list[str]]:
    """`lr=0.1,0.2 n=1,2 --no-save` as four lines, as Hydra's -m takes it.

    Raises:
        UserError: what is no combination: a range without steps, or words that Hydra cannot read.
    """
    from rothamsted.space import DomainError, Space, SpaceError
    from rothamsted.space.hydra import domains_from_hydra

    pairs_of = [word for n, word in enumerate(words) if _is_pair(word, words[n - 1] if n else "")]
    others = [word for n, word in enumerate(words) if not _is_pair(word, words[n - 1] if n else "")]
    try:
        grid = Space(domains_from_hydra(" ".join(pairs_of))).grid()
    except (SpaceError, DomainError) as error:
        raise UserError(f"rothamsted train -m: {str(error).removeprefix('space.')}") from None
    written = [
        [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in condition.items()]
        for condition in grid
    ]
    return [[*one, *others] for one in written]


def entry_point(name: str, arguments: Sequence[str]) -> int:
    """Run a study by hand: `rothamsted batch_size optimizer.lr=0.1`, or with --optimizer.lr 0.1."""
    from rothamsted.studies import find, is_script, main

    if is_script(name):
        return main(find(name, find_home(Path.cwd())), as_options(arguments)) or 0
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
    from rothamsted.studies import is_script

    root = find_home(Path.cwd())
    return is_script(name) or ((root / FILE_NAME).is_file() and name in study_commands(root))


def as_options(words: Sequence[str]) -> list[str]:
    """`lr=0.1 --set 'a=1 b=2'` as `--lr=0.1 --set 'a=1 b=2'`, which the study's own command line takes."""
    found: list[str] = []
    for word in words:
        found.append(f"--{word}" if _is_pair(word, found[-1] if found else "") else word)
    return found


def _is_pair(word: str, before: str) -> bool:
    """Whether a word is `field=value`, and not the value of the option before it."""
    is_value = before.startswith("--") and "=" not in before and before not in _BARE
    return "=" in word and word.partition("=")[0].replace(".", "_").isidentifier() and not is_value


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
