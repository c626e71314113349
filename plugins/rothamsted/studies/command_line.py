"""Read the command line of one study: its config's fields as options, and how to run by hand.

Each mistake becomes one line. jsonargparse is used only here.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.studies.contract import Study
from rothamsted.studies.fields import closest, field_names, set_fields
from rothamsted.studies.given_words import OPTIONS, SET_EXAMPLE, check_length, options_of

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

DEFAULT_CHECKPOINT_SECONDS = 60.0
STATE = "state"  # the folder of a run's checkpoints in that of its exports
_NAME = re.compile(r"(?!\.)[\w.-]{1,100}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """Says how a study is run by hand, beside its config."""

    is_saved: bool = True  # False: no MLflow, no files
    name: str | None = None  # of the run in MLflow; None: the study's
    checkpoint_dir: Path | None = None
    checkpoint_seconds: float = DEFAULT_CHECKPOINT_SECONDS  # 0: after every measurement
    output: Path | None = None  # the exports are written here too, while the run goes on and at its end
    is_mirrored: bool = False  # into TensorBoard's files, below `output` or the working directory

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if not self.is_saved and (self.name or self.checkpoint_dir or self.output or self.is_mirrored):
            others = "--name, --checkpoint-dir, --output and --tensorboard"
            raise StudyError(f"--no-save leaves nothing behind; give it without {others}")
        if not (math.isfinite(self.checkpoint_seconds) and self.checkpoint_seconds >= 0):
            raise StudyError(f"--checkpoint-every: must be 0 or more seconds, not {self.checkpoint_seconds!r}")
        if self.name is not None:
            check_name(self.name, place="--name")

    @property
    def checkpoint_folder(self) -> Path | None:
        """Say where checkpoints are kept: as the options say, else in the folder of the exports."""
        return self.checkpoint_dir or (self.output / STATE if self.output else None)


def check_name(name: str, *, place: str) -> None:
    """Refuse the name of a run that cannot be a folder's.

    Raises:
        StudyError: begins with `place`.
    """
    if not _NAME.fullmatch(name):
        rule = "letters, digits, '_', '-' and '.', the first no '.'"
        raise StudyError(f"{place}: the name must be {rule}, not {name!r}; it is a folder's name, too")


def name_folder(name: str) -> Path:
    """Return the folder of a run that is called so."""
    return Path("runs") / name


_NAME_OPTION = "name"
_SEVERAL = re.compile(r"not '(?:[^'\[{]*,[^']*|(?:choice|range|interval|tag)\(.*)'$")  # values, refused as one


def parse(study: Study, argv: Sequence[str]) -> tuple[BaseModel, ByHand]:
    """Return the config and the options that a command line gives.

    Raises:
        StudyError: an option that is unknown or whose value breaks a rule, or a file that cannot be read.
        SystemExit: status 0, after --help, --print_config or --cfg.
    """
    from jsonargparse import ArgumentError

    _check_names(study)
    check_length(argv)
    parser = _parser(study)
    try:
        given = parser.parse_args(options_of(study, argv)).as_dict()
    except ArgumentError as error:
        line = _one_line(study, str(error))
        raise StudyError(
            f"{line}; to train each of several values, add -m" if _SEVERAL.search(line) else line
        ) from error
    fields = {name: given[name] for name in study.config.model_fields if name in given}
    config = set_fields(study.config, fields)
    if given["cfg"]:
        import yaml

        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
        raise SystemExit(0)
    name = None if _NAME_OPTION in fields else given.get(_NAME_OPTION)
    options = ByHand(
        is_saved=not given["no_save"],
        name=name,
        checkpoint_dir=given["checkpoint_dir"],
        checkpoint_seconds=given["checkpoint_every"],
        output=given["output"] or (name_folder(name) if name else None),
        is_mirrored=given["tensorboard"],
    )
    return config, options


def _parser(study: Study) -> ArgumentParser:
    from jsonargparse import ArgumentParser

    summary = (study.config.__doc__ or "").strip().split("\n")[0]
    parser = ArgumentParser(
        prog=_program(study),
        description=f"{study.name}: {summary} One run, logged to MLflow.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML or JSON file of fields; options after it override it")
    parser.add_argument("--set", metavar="FIELDS", help=f"fields in Hydra's grammar: {SET_EXAMPLE}")
    _add_options(parser, has_name=_NAME_OPTION not in study.config.model_fields)
    parser.add_class_arguments(study.config)
    for name, fields in (parser.groups or {}).items():  # titles that jsonargparse makes from class names
        fields.title = f"fields of {name}" if "." in name or name in study.config.model_fields else "fields"
    return parser


def _add_options(parser: ArgumentParser, *, has_name: bool) -> None:
    group = parser.add_argument_group("running by hand")
    group.add_argument(
        "-m", "--multirun", action="store_true", help="train every combination of lr=0.1,0.2 width='choice(8,16)'"
    )
    group.add_argument("--cfg", "-c", choices=["job"], help="job: print the config in place of training it")
    if has_name:  # a study may have a field of this name
        group.add_argument(
            "--name",
            type=str | None,
            default=None,
            metavar="NAME",
            help="the name of the run, and of its folder runs/NAME",
        )
    group.add_argument("--no-save", action="store_true", help="leave nothing behind: no MLflow run, no files")
    group.add_argument(
        "--checkpoint-dir",
        type=Path | None,
        default=None,
        metavar="DIR",
        help="keep checkpoints here, by default in state/ of --output; a run that was stopped goes on from them",
    )
    group.add_argument(
        "--checkpoint-every",
        type=float,
        default=DEFAULT_CHECKPOINT_SECONDS,
        metavar="SECONDS",
        help="seconds between two checkpoints; 0: after every measurement",
    )
    group.add_argument(
        "--output",
        type=Path | None,
        default=None,
        metavar="DIR",
        help="write metrics.csv and the other exports here too, from the first measurement on",
    )
    group.add_argument(
        "--tensorboard",
        type=bool,
        default=False,
        metavar="true",
        help="mirror the run into files of TensorBoard, in tensorboard/ of --output or of this folder",
    )


def _program(study: Study) -> str:
    main = sys.modules.get("__main__")
    of_function = getattr(study.function and study.function.call, "__globals__", {})
    if main is not None and of_function is vars(main):
        return f"python {Path(getattr(main, '__file__', '-')).name}"
    spec = getattr(main, "__spec__", None)
    parent = getattr(spec, "parent", "") or ""
    is_study = bool(parent) and parent.rpartition(".")[2] == study.name
    return f"python -m {parent}" if is_study else f"rothamsted {study.name}"


def _check_names(study: Study) -> None:
    if taken := sorted((set(OPTIONS) - {_NAME_OPTION}) & set(study.config.model_fields)):
        raise StudyError(
            f"study {study.name!r}: field {taken[0]} is named like an option of running by hand; rename it"
        )


def _one_line(study: Study, message: str) -> str:
    """What jsonargparse says over several lines, as one that names field, rule and value."""
    if unknown := re.match(r"unrecognized arguments: --?([^\s=]+)", message):
        return f"--{unknown[1]} is not an option; {closest(unknown[1], [*field_names(study.config), *_options()])}"
    wrong = re.match(r'Parser key "(?P<key>[^"]+)":.*Got value: (?P<value>.*)$', message, re.DOTALL)
    if wrong and (problem := _problem_of(study, wrong["key"], wrong["value"].strip())):
        return f"--{problem}"
    lines = [line.strip() for line in message.splitlines()]
    kept = [re.sub(r" \[type=.*?\]", "", line) for line in lines if not line.startswith("For further information")]
    text = re.sub(r"\d+ validation errors? for \S+(, \.\.\.\])? ", "", " ".join(kept))
    return re.sub(r'^Parser key "([^"]+)": ', r"--\1: ", text)


def _problem_of(study: Study, key: str, value: str) -> str:
    """What the study's own config has against one value; empty if nothing."""
    if key not in field_names(study.config):
        return ""
    try:
        set_fields(study.config, {key: _plain(value)})
    except StudyError as error:
        problems = str(error).split("; ")
        return next((problem for problem in problems if problem.startswith(f"{key} ")), "")
    return ""


def _plain(value: str) -> Any:
    """A value as YAML reads it, so that a list or a mapping is judged as one."""
    import yaml

    from rothamsted.yaml_text import load

    try:
        return load(value)
    except yaml.YAMLError:
        return value


def _options() -> list[str]:
    return [name.replace("_", "-") for name in OPTIONS if name != "print_config"]
