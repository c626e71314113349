"""Prepare a data set by name: find the study that offers it and call its function.

So `prepare_data` is one command for all studies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from rothamsted.errors import DataError, StudyError
from rothamsted.studies.contract import Study
from rothamsted.studies.fields import closest
from rothamsted.wording import rule_words
from rothamsted.yaml_text import load

COMMON = ("source", "target")  # what every data set takes


def prepare_data(
    studies: Sequence[Study],
    dataset: str,
    source: str | None,
    target: Path | None,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Make one data set with the study that offers it, as `prepare(source=source, target=target, **options)`.

    Args:
        studies: all studies of the project.
        dataset: name of the data set.
        source: where the raw data are (folder, file or address); None lets the study choose.
        target: the file to make; None lets the study choose.
        options: further keyword parameters of the study's function, as text; read as their types say.

    Returns:
        The file that was made.

    Raises:
        DataError: no study offers the data set, two different ones do, it does not take an option or its value, or
            the study refuses the source.
    """
    offers = {study.name: study for study in studies if dataset in study.datasets}
    if not offers:
        known = sorted({name for study in studies for name in study.datasets})
        hint = closest(dataset, known) if known else "no study offers any"
        raise DataError(f"dataset: {dataset!r} is not offered by any study; {hint}")
    if len({study.datasets[dataset] for study in offers.values()}) > 1:
        raise DataError(
            f"dataset: {dataset!r} is offered by {', '.join(sorted(offers))} with different functions; "
            "rename it in all but one"
        )
    study = next(iter(offers.values()))
    prepare = study.datasets[dataset]
    values = _read_options(dataset, prepare, options or {})
    try:
        return prepare(source=source, target=target, **values)
    except study.user_errors as error:
        raise DataError(" ".join(str(error).split())) from error


def describe_datasets(studies: Sequence[Study]) -> str:
    """List the data sets of all studies, one a line, each with what it makes and its own options and their defaults."""
    offers = {name: prepare for study in studies for name, prepare in study.datasets.items()}
    lines = []
    for name, prepare in sorted(offers.items()):
        summary = (inspect.getdoc(prepare) or "").split("\n")[0]
        lines.append(f"  {name}: {summary}".rstrip(": "))
        lines += [f"      {_shown(option)}" for option in _options(prepare).values()]
    return "\n".join(lines) or "  no study offers any"


def _options(prepare: Callable[..., Path]) -> dict[str, inspect.Parameter]:
    """A function's own options, with their types as objects."""
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    options = {
        name: parameter
        for name, parameter in inspect.signature(prepare).parameters.items()
        if name not in COMMON and parameter.kind in named
    }
    if not options:
        return {}
    function = prepare.func if isinstance(prepare, partial) else prepare
    try:
        types = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise StudyError(f"{function.__qualname__}: its types must be there at run time: {error}") from error
    return {name: option.replace(annotation=types.get(name, Any)) for name, option in options.items()}


def _read_options(dataset: str, prepare: Callable[..., Path], given: Mapping[str, str]) -> dict[str, Any]:
    options = _options(prepare)
    for name in given:
        if name not in options:
            known = ["dataset", *COMMON, *options]
            raise DataError(f"{name}: data set {dataset!r} has no such option; {closest(name, known)}")
    for name, option in options.items():
        if option.default is option.empty and name not in given:
            raise DataError(f"{name}: data set {dataset!r} needs it; give {name}=VALUE")
    return {name: _read(dataset, options[name], text) for name, text in given.items()}


def _read(dataset: str, option: inspect.Parameter, text: str) -> Any:
    """The value of an option; a list or a mapping is written as in YAML."""
    adapter = TypeAdapter(option.annotation)
    try:
        if option.annotation is not Any and not text.startswith(("[", "{")):
            return adapter.validate_strings(text)
        return adapter.validate_python(load(text))
    except yaml.YAMLError as error:
        reason = f"is not YAML: {' '.join(str(error).split())}"
    except ValidationError as error:
        reason = rule_words(error.errors()[0]["msg"])
        reason = reason[:1].lower() + reason[1:]
    raise DataError(f"{option.name} of data set {dataset!r}: {reason}, not {text!r}")


def _shown(option: inspect.Parameter) -> str:
    kind = inspect.formatannotation(option.annotation)
    return f"--{option.name} {kind}" + ("" if option.default is option.empty else f" (default: {option.default!r})")
