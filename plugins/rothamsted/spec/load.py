"""From a sweep file and the command line to a checked Sweep: the one way in.

Apart from the parts it calls, so that the order of the checks stands in one place: keys before values,
the study before its parameters, each parameter before the sweep as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from rothamsted.errors import UserError
from rothamsted.spec.document import Document, KeyPath, read_document
from rothamsted.spec.not_yet import KNOWN_LATER, check_available
from rothamsted.spec.overrides import expand_short_forms, fix_parameters, override_sweep_keys
from rothamsted.spec.parameters import check_parameters, flatten_parameters, read_domain, read_domains
from rothamsted.spec.rules import CheckCondition, check_conditions, check_rules
from rothamsted.spec.schema import Sweep
from rothamsted.spec.suggest import known_names

SWEEP_KEYS = frozenset(Sweep.model_fields) | KNOWN_LATER


def load_sweep(
    path: str | Path,
    overrides: Mapping[str, str] | None = None,
    *,
    parameter_names: Callable[[str], Mapping[str, Any] | None],
    check_condition: CheckCondition | None = None,
    known_studies: Iterable[str] = (),
) -> Sweep:
    """Read a sweep file, apply what the command line changes, and check everything.

    Args:
        path: the sweep file.
        overrides: key -> text from the command line: any key of a sweep file, dotted; `space` in Hydra's
            sweep grammar; any parameter of the study, which fixes it and takes it out of the space.
        parameter_names: study -> {dotted parameter: its type}, or None where there is no such study.
        check_condition: called with (study, {parameter: value}, the seed among them); raises a UserError
            if the study refuses it.
        known_studies: studies to name where the one asked for does not exist.

    Raises:
        SpecError: one line: place, key, rule, value, way out.
    """
    document = read_document(path)
    _check_keys(document)
    document, parameters = override_sweep_keys(expand_short_forms(document), overrides or {}, SWEEP_KEYS)
    check_available(document)
    study, names = _find_study(document, parameter_names, known_studies)
    document = flatten_parameters(document, names)
    document = fix_parameters(document, _known_parameters(parameters, study, names))
    check_parameters(document, study, names)
    document.data["space"] = read_domains(document, study, names)
    sweep = _validate(document)
    check_rules(sweep, document)
    if check_condition is not None:
        check_conditions(sweep, document, check_condition)
    return sweep


def from_resolved(resolved: Mapping[str, Any]) -> Sweep:
    """A sweep from the plain values that `resolved` made of it.

    Raises:
        SpecError: the values are not of this version.
    """
    document = Document(source="recorded sweep", data=dict(resolved), places={})
    space = document.data.get("space") or {}
    domains = {name: read_domain(document, ("space", name), raw) for name, raw in space.items()}
    document.data["space"] = domains
    sweep = _validate(document)
    check_rules(sweep, document)
    return sweep


def _check_keys(document: Document) -> None:
    for key in document.data:
        if key not in SWEEP_KEYS:
            known = known_names(key, Sweep.model_fields)
            raise document.error((key,), f"is not a key of a sweep file; {known}")


def _find_study(
    document: Document,
    parameter_names: Callable[[str], Mapping[str, Any] | None],
    known_studies: Iterable[str],
) -> tuple[str, Mapping[str, Any]]:
    study = document.data.get("study")
    if not isinstance(study, str) or not study:
        reason = "is missing" if study is None else f"must be the name of a study, not {study!r}"
        raise document.error(("study",), f"{reason}; {known_names('', known_studies)}")
    try:
        names = parameter_names(study)
    except UserError as error:
        raise document.error(("study",), str(error)) from None
    if names is None:
        raise document.error(("study",), f"there is no study '{study}'; {known_names(study, known_studies)}")
    return study, names


def _known_parameters(parameters: Mapping[str, Any], study: str, names: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides that are no sweep key, as parameters: `optimizer={lr: 1}` is `optimizer.lr`."""
    at = Document(source="command line", data={"parameters": dict(parameters)}, places={})
    flat = flatten_parameters(at, names).data["parameters"]
    for name in flat:
        if name not in names:
            known = known_names(name, (*Sweep.model_fields, *(other for other in names if other != "seed")))
            raise at.error((name,), f"is neither a key of a sweep file nor a parameter of study '{study}'; {known}")
    return flat


def _validate(document: Document) -> Sweep:
    """Validate against the schema; of several errors the first is raised, and the others are counted."""
    data = {key: value for key, value in document.data.items() if value is not None}
    try:
        return Sweep.model_validate(data)
    except ValidationError as error:
        found = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
        path = _path(found[0]["loc"], data)
        others = {_path(detail["loc"], data) for detail in found} - {path}
        more = f" (and {len(others)} more)" if others else ""
        raise document.error(path, f"{_reason(found[0])}{more}") from None


def _path(location: tuple[int | str, ...], data: Any) -> KeyPath:
    """Pydantic's location without the parts that name a member of a union; a missing key comes last."""
    path: list[int | str] = []
    for part in location:
        is_key = isinstance(data, Mapping) or (isinstance(data, (list, tuple)) and isinstance(part, int))
        if not is_key:
            break
        path.append(part)
        data = data.get(part) if isinstance(data, Mapping) else data[int(part)]
    return tuple(path)


def _reason(detail: Any) -> str:
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return "is missing; every sweep needs it"
    if kind == "extra_forbidden":
        known = known_names(str(detail["loc"][-1]), _keys_beside(detail["loc"]))
        return f"is not a key of a sweep file here; {known}"
    rule = message.replace("Input should", "must")
    return f"{rule}, not {detail['input']!r}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Sweep
    for part in location[:-1]:
        annotation = model.model_fields[part].annotation
        model = next((one for one in get_args(annotation) if hasattr(one, "model_fields")), annotation)
    return list(model.model_fields)
