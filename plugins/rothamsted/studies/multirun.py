"""Run several runs of one command line, as Hydra's `-m` does: `-m lr=0.1,0.2 model.dropout='choice(0,0.5)'`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rothamsted.caps import MOST_BY_HAND
from rothamsted.errors import StudyError
from rothamsted.studies.command_line import ByHand, name_folder
from rothamsted.studies.given_words import OPTIONS, is_hydras_own, takes_value

EACH = ("-m", "--multirun")
SWEEPER = "hydra/sweeper"
_PAIR = re.compile(r"(?:--)?[A-Za-z_][\w.]*=.*", re.DOTALL)


def has_several(words: Sequence[str]) -> bool:
    """Say whether a command line asks for every combination."""
    return any(word in EACH for word in words)


def combinations(words: Sequence[str]) -> list[list[str]]:
    """Expand `lr=0.1,0.2 n=1,2 --no-save` into four lines.

    Raises:
        StudyError: what is no combination: a range without steps, or words that Hydra cannot read.
    """
    from rothamsted.space import DomainError, Space, SpaceError
    from rothamsted.space.hydra import domains_from_hydra

    pairs, others = split_pairs(word for word in words if word not in EACH and word != f"{SWEEPER}=basic")
    if own := next((word for word in others if is_hydras_own(word)), None):
        raise StudyError(
            f"-m: {own} is a setting of Hydra itself; every combination is trained here, one after the other, "
            f"and a search by {SWEEPER}=optuna needs rothamsted train"
        )
    if not pairs:
        raise StudyError("-m: no field is given; write for example -m lr=0.1,0.2")
    try:
        space = Space(domains_from_hydra(" ".join(pairs)))
        if (n := space.size_of_grid()) > MOST_BY_HAND:
            raise StudyError(f"-m: {n} combinations, and at most {MOST_BY_HAND} are allowed; write a sweep file")
        grid = space.grid()
    except (SpaceError, DomainError) as error:
        reason = str(error).removeprefix("space.")
        hint = f"; to search it, add {SWEEPER}=optuna" if "without points" in reason else ""
        raise StudyError(f"-m: {reason}{hint}") from None
    return [[*(written(key, value) for key, value in condition.items()), *others] for condition in grid]


def written(key: str, value: object) -> str:
    """Write `key=value` as the study's command line reads it."""
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def split_pairs(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the words `field=value`, without dashes, and the others."""
    pairs: list[str] = []
    others: list[str] = []
    before = ""
    for word in words:
        is_option = word.startswith("--") and word[2:].partition("=")[0].replace("-", "_") in OPTIONS
        is_pair = _PAIR.fullmatch(word) and not takes_value(before) and not is_option and not is_hydras_own(word)
        (pairs if is_pair else others).append(word.removeprefix("--") if is_pair else word)
        before = word
    return pairs, others


def numbered(options: ByHand, number: int) -> ByHand:
    """Return the options of one of several runs.

    Names and folders get its number, as in Hydra's multirun/0, multirun/1.
    """
    name = options.name and f"{options.name}-{number}"
    output, checkpoints = options.output, options.checkpoint_dir
    if output is not None:
        is_of_name = options.name is not None and output == name_folder(options.name)
        output = name_folder(str(name)) if is_of_name else output / str(number)
    return replace(options, name=name, output=output, checkpoint_dir=checkpoints and checkpoints / str(number))
