"""Compose a study's config from `projects/<study>/conf/`, as Hydra does: `data=emnist training=long`.

A word whose key is a folder of `conf` chooses a file of it; Hydra's own `compose` puts the files together. The other
words are the study's command line and override all files. Without `conf/config.yaml` nothing is composed unless a word
asks for it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rothamsted.errors import StudyError
from rothamsted.named_files import is_folder
from rothamsted.studies.contract import Study
from rothamsted.studies.fields import closest, field_names, renamed, spread

CONF, PRIMARY = "conf", "config"
_GROUP_WORD = re.compile(r"-?-?(?P<sign>[+~]{0,2})(?P<group>[A-Za-z_][\w/]*)(?P<package>@[\w.]*)?(?:=(?P<option>.*))?")
_VALUES = frozenset({"true", "false", "null", "nan", "inf"})  # which Hydra's grammar does not take for text
_OPTION = re.compile(r"[A-Za-z_][\w./-]*|\[ *[A-Za-z_][\w./-]*( *, *[A-Za-z_][\w./-]*)* *\]")  # a file, or several
_FIELD_WORD = re.compile(r"--(?P<name>[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)


def conf_folder(study: Study) -> Path | None:
    """Return the folder of a study's config groups; None if it has none."""
    if study.function is not None:
        return None
    folder = Path(inspect.getfile(study.config)).parent / CONF
    return folder if folder.is_dir() else None


def groups_of(study: Study) -> list[str]:
    """Return the names of a study's config groups."""
    folder = conf_folder(study)
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder else []


def compose_groups(study: Study, words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what the files of `conf` say, by the names of the study's fields, and the words that are left.

    Args:
        study: whose `conf` it is.
        words: options as `--key=value`; words that choose a file with or without dashes.

    Raises:
        StudyError: no such file, a key that is no field, or what else Hydra finds wrong.
    """
    folder = conf_folder(study)
    if folder is None:
        return {}, list(words)
    chosen = [word for word in words if _chooses(folder, word)]
    others = [word for word in words if word not in chosen]
    primary = PRIMARY if (folder / f"{PRIMARY}.yaml").is_file() else None
    if not chosen and primary is None:
        return {}, others
    overrides = [_as_override(word.lstrip("-"), primary) for word in chosen]
    given = {found["name"]: found["value"] for word in others if (found := _FIELD_WORD.fullmatch(word))}
    composed = _compose(folder, primary, overrides, given)
    return _own_fields(study, folder, composed, given), others


def _chooses(folder: Path, word: str) -> bool:
    found = _GROUP_WORD.fullmatch(word)
    if not found or not is_folder(folder / found["group"]) or (found["option"] is None and "~" not in found["sign"]):
        return False
    option = found["option"]
    if option is not None and not (_OPTION.fullmatch(option) and _is_name(option)):
        files = ", ".join(sorted(path.stem for path in (folder / found["group"]).glob("*.yaml")))
        raise StudyError(f"{word.lstrip('-')}: names no file of {_shown(folder / found['group'])}; there are: {files}")
    return True


def _is_name(option: str) -> bool:
    """Whether Hydra reads the name of a file: it takes `true`, `null` and `nan` for values, which choose nothing."""
    return not any(part.strip().lower() in _VALUES for part in option.strip("[] ").split(","))


def _as_override(word: str, primary: str | None) -> str:
    """Without config.yaml there is no list of defaults: each file is added to nothing."""
    return word if primary or word[0] in "+~" else f"+{word}"


def _compose(folder: Path, primary: str | None, overrides: list[str], given: Mapping[str, str]) -> dict[str, Any]:
    """The composed config, its interpolations with the values of the command line in place."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(config_dir=str(folder.resolve()), version_base="1.3"):
            config = compose(config_name=primary, overrides=overrides)
        OmegaConf.set_struct(config, False)
        for name, text in given.items():
            OmegaConf.update(config, name, _plain(text), merge=False, force_add=True)
        found: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise StudyError(f"{_shown(folder)}: {_one_line(error)}") from error
    return found


def _plain(text: str) -> Any:
    import yaml

    from rothamsted.yaml_text import load

    try:
        return load(text)
    except yaml.YAMLError:
        return text


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split("Config search path")[0].split())
    return re.sub(r"^In '_dummy_empty_config_': ", "", text)


def _own_fields(study: Study, folder: Path, composed: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The composed leaves by the names of the fields, without those that the command line gives."""
    known = field_names(study.config)
    said = set(renamed(study.config, given))
    leaves = {name: value for name, value in spread(composed, frozenset(known)) if name not in given}
    fields: dict[str, Any] = {}
    for name, value in renamed(study.config, leaves).items():
        if name in said:
            continue
        if name not in known:
            reason = f"is not a field of {study.config.__name__}; {closest(name, known)}"
            raise StudyError(f"{_shown(folder)}: {name} {reason}")
        fields[name] = value
    return fields


def _shown(folder: Path) -> str:
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)
