"""Turn the words of a study's command line into options for its parser: files first, other spellings expanded.

Hydra's spellings are known: `lr=0.1`, `data=emnist` for a file of `conf/data`, and `--set` in Hydra's grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from rothamsted.caps import MOST_CHARACTERS, MOST_OVERRIDES
from rothamsted.errors import StudyError
from rothamsted.named_files import is_file
from rothamsted.studies.config_groups import compose_groups
from rothamsted.studies.contract import Study
from rothamsted.studies.fields import aliases_of, closest, field_names, in_own_names, renamed, spread

OPTIONS = (
    *("name", "no_save", "checkpoint_dir", "checkpoint_every", "output", "tensorboard"),
    *("set", "config", "print_config", "help", "cfg", "multirun"),
)
FLAGS = ("--no-save", "--help", "--print_config", "--multirun")  # options without a value
_HYDRAS_OWN = re.compile(r"(?:--)?\+{0,2}hydra[./][\w./]+=")
SET_EXAMPLE = "'model.hidden=[256,128] model.dropout=0.2'"


def options_of(study: Study, argv: Sequence[str]) -> list[str]:
    """Return what a command line says, as options by the names of the study's fields; later ones win over earlier.

    Raises:
        StudyError: a file that is missing or names what is no field, or text that Hydra cannot read.
    """
    if own := next((word for word in argv if is_hydras_own(word)), None):
        raise StudyError(f"{own} is a setting of Hydra itself; hydra/sweeper goes with -m, others have no counterpart")
    composed, words = compose_groups(study, as_options(argv))
    words = _with_set(study, _config_first(study, _in_own_names(study, words)))
    return [*(["--config", json.dumps(composed)] if composed else []), *words]


def check_length(argv: Sequence[str]) -> None:
    """Refuse a command line that is too long, before anything of it is read.

    Raises:
        StudyError: too many words, or too much text.
    """
    if len(argv) > MOST_OVERRIDES:
        raise StudyError(f"{len(argv)} words, and at most {MOST_OVERRIDES} are allowed; write a file: --config FILE")
    if (n := sum(map(len, argv))) > MOST_CHARACTERS:
        raise StudyError(f"{n} characters, and at most {MOST_CHARACTERS} are allowed; write a file: --config FILE")


def as_options(argv: Sequence[str]) -> list[str]:
    """Return the words with each `lr=0.1` as `--lr=0.1`, unless it is the value of the option before it."""
    words: list[str] = []
    for n, word in enumerate(argv):
        before = argv[n - 1] if n else ""
        is_field = re.match(r"[A-Za-z_][\w.]*=", word) and not takes_value(before)
        words.append(f"--{word}" if is_field else word)
    return words


def is_hydras_own(word: str) -> bool:
    """Say whether a word sets Hydra itself, such as hydra/launcher=joblib."""
    return _HYDRAS_OWN.match(word) is not None


def takes_value(option: str) -> bool:
    """Say whether the word after this one is its value."""
    return option.startswith("--") and "=" not in option and option not in FLAGS


def _in_own_names(study: Study, words: Sequence[str]) -> list[str]:
    """The words with each other name that the study takes, `--training.optimizer.params.lr`, as the field's own."""
    aliases = aliases_of(study.config)
    return [
        f"--{aliases[name]}{separator}{value}" if option.startswith("--") and (name := option[2:]) in aliases else word
        for word in words
        for option, separator, value in [word.partition("=")]
    ]


def _config_first(study: Study, argv: Sequence[str]) -> list[str]:
    """The files before all else, so that what the command line says itself wins wherever it stands."""
    first: list[str] = []
    others = list(argv)
    while (at := next((n for n, word in enumerate(others) if word.partition("=")[0] == "--config"), None)) is not None:
        n_words = 1 if "=" in others[at] else 2
        words = others[at : at + n_words]
        del others[at : at + n_words]
        path = words[0].partition("=")[2] if n_words == 1 else "".join(words[1:])
        first += ["--config", spelled] if (spelled := _checked_file(study, path)) is not None else words
    return first + others


def _checked_file(study: Study, path: str) -> str | None:
    """A file's fields as JSON, where it spells them in another way that the config takes; None: as the fields are.

    Raises:
        StudyError: with the place: the file is missing or no mapping, or names what is no field.
    """
    from rothamsted.spec.document import read_document

    if not is_file(path):
        raise StudyError(f"--config: there is no file {path!r}; give a JSON or YAML file of fields")
    document = read_document(path)
    known = field_names(study.config)
    own = study.config.model_fields
    options = {name: value for name, value in document.data.items() if name in OPTIONS and name not in own}
    fields = {name: value for name, value in document.data.items() if name not in options}
    if (named := in_own_names(study.config, fields, place=path)) is not None:
        return json.dumps(options | named)
    for name, _ in spread(fields, frozenset(known)):
        if name not in known:
            where = next((path for path in document.places if ".".join(map(str, path)) == name), ())
            raise document.error(where, f"is not a field of {study.config.__name__}; {closest(name, known)}")


def _with_set(study: Study, argv: Sequence[str]) -> list[str]:
    """The words with each --set written out as options of their own."""
    words, left = [], list(argv)
    while left:
        word = left.pop(0)
        key, separator, text = word.partition("=")
        if key != "--set" or not (separator or left):
            words.append(word)
            continue
        for name, value in _set_values(study, text if separator else left.pop(0)).items():
            if any(other.partition("=")[0] == f"--{name}" for other in (*words, *left)):
                raise StudyError(f"--set: {name} is given as --{name}, too; give one of the two")
            words.append(f"--{name}={value if isinstance(value, str) else json.dumps(value)}")
    return words


def _set_values(study: Study, text: str) -> dict[str, Any]:
    from rothamsted.space import SpaceError
    from rothamsted.space.hydra import values_from_hydra

    known = field_names(study.config)
    try:
        values = renamed(study.config, dict(spread(values_from_hydra(text), frozenset(known))))
    except SpaceError as error:
        raise StudyError(f"--set: {'.'.join((*error.key, ''))[:-1]}: {error.reason}".replace(": : ", ": ")) from error
    if unknown := next((name for name in values if name not in known), None):
        raise StudyError(f"--set: {unknown} is not a field of {study.config.__name__}; {closest(unknown, known)}")
    return values
