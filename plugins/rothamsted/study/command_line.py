"""The command line of a study, made from its config: options with help, config files, errors in one line.

It is apart from running by hand because it is jsonargparse's vocabulary, and nothing here trains or logs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.study.contract import Study
from rothamsted.study.fields import closest, field_names, set_fields

OPTIONS: dict[str, dict[str, Any]] = {
    "no-save": {"action": "store_true", "help": "leave nothing behind: no MLflow run, no files"},
    "checkpoint-dir": {"type": str, "default": None, "help": "folder of checkpoints; given again, goes on from them"},
    "checkpoint-every": {"type": float, "default": 30.0, "help": "seconds between two checkpoints"},
    "output": {"type": str, "default": None, "help": "folder for the exports, beside the run's artifacts"},
}


def parse_command_line(study: Study, argv: Sequence[str]) -> tuple[BaseModel, dict[str, Any]]:
    """The config and the options (`no_save`, `checkpoint_dir`, ...) of a command line; `--help` exits.

    Raises:
        StudyError: in one line, for an unknown option, a bad value, or a config file that cannot be read.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(
        prog=f"python -m projects.{study.name}",
        description=(study.config.__doc__ or "").strip(),
        exit_on_error=False,
    )
    parser.add_argument("--config", action="config", help="YAML or JSON file with fields of the config")
    group = parser.add_argument_group("options of this run")
    for name, settings in OPTIONS.items():
        group.add_argument(f"--{name}", **settings)
    parser.add_class_arguments(study.config, None)
    _check_names(study, argv)
    try:
        found = parser.parse_args(list(argv)).as_dict()
    except ArgumentError as error:
        raise StudyError(f"{parser.prog}: {_one_line(str(error))}") from error
    except (OSError, TypeError, ValueError) as error:
        raise StudyError(f"{parser.prog}: --config: {_one_line(str(error))}") from error
    found.pop("config", None)
    options = {name.replace("-", "_"): found.pop(name.replace("-", "_")) for name in OPTIONS}
    return set_fields(study.config, _without_files(found), place=parser.prog), options


def _check_names(study: Study, argv: Sequence[str]) -> None:
    """An unknown option is answered with the likely one; argparse would only list it."""
    known = [*field_names(study.config), *OPTIONS, "config", "help", "print_config"]
    prefixes = {name.split(".")[0] for name in known}
    for word in argv:
        name = word[2:].partition("=")[0]
        if word.startswith("--") and name not in known and name not in prefixes:
            raise StudyError(f"python -m projects.{study.name}: --{name} is not an option; {closest(name, known)}")


def _without_files(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without jsonargparse's own record of config files."""
    return {
        key: _without_files(value) if isinstance(value, Mapping) else value
        for key, value in found.items()
        if not key.startswith("__")
    }


def _one_line(text: str) -> str:
    """jsonargparse's and pydantic's message without line breaks and links."""
    text = re.sub(r"\s*For further information visit \S+", "", text)
    text = re.sub(r"\d+ validation errors? for [\w.\[\]-]+", "", text)
    text = re.sub(r"\[type=[^\]]*\]", "", text)
    return re.sub(r"\s+", " ", text).replace(" .", ".").strip()
