"""Load a sweep file and the command line into a checked Sweep.

It sets the order of the checks: keys before values; everything else before the study, which may take seconds to import;
the study before its parameters; each parameter before the sweep as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from rothamsted.errors import SpecError
from rothamsted.metric import Metric
from rothamsted.registries import UNKNOWN_NAME
from rothamsted.space import Domain
from rothamsted.space.values import shortened
from rothamsted.spec.directions import with_declared_directions
from rothamsted.spec.document import Document, KeyPath, check_length, check_plain, read_document
from rothamsted.spec.exponents import has_exponent, validated
from rothamsted.spec.field_values import WHOLE_REASON
from rothamsted.spec.not_yet import KNOWN_LATER, check_available
from rothamsted.spec.overrides import (
    ALONE,
    GivenParameters,
    expand_short_forms,
    fix_parameters,
    override_sweep_keys,
)
from rothamsted.spec.own_names import with_own_names
from rothamsted.spec.parameters import (
    check_parameters,
    enqueued_values,
    flatten_parameters,
    read_domain,
    read_domains,
    settle_exponents,
)
from rothamsted.spec.parameters_file import PARAMETERS_FILE, OwnNames, add_parameters_file
from rothamsted.spec.pruner import read_pruner
from rothamsted.spec.recorded import check_unexposed
from rothamsted.spec.rules import CheckCondition, check_conditions, check_rules
from rothamsted.spec.rules_command import check_placeholders
from rothamsted.spec.schema import FILE_KEYS, Sweep
from rothamsted.spec.short_forms import OWN_SHORT_FORMS, with_short_forms
from rothamsted.spec.taken import Take, take_parameters
from rothamsted.spec.target import (
    PROJECT_KEYS,
    UNDECLARED,
    ProjectParameters,
    StudyParameters,
    Target,
    find_target,
    with_command_defaults,
    with_entry_point,
)
from rothamsted.spec.varied import check_varied_fields
from rothamsted.suggest import known_names
from rothamsted.wording import rule_words

KEYS = (*FILE_KEYS, *ALONE, PARAMETERS_FILE, OWN_SHORT_FORMS)
SWEEP_KEYS = frozenset(KEYS) | KNOWN_LATER
_READ_APART = frozenset(  # by themselves, or with the study or the project
    {"space", "parameters", "enqueue", "pruner", PARAMETERS_FILE, "study", "project", *PROJECT_KEYS, UNDECLARED}
)
_FILLED_IN = frozenset({"project", *PROJECT_KEYS, "command", "storage"})  # by the engine itself, too


def load_sweep(
    path: str | Path | Document | None,
    overrides: Mapping[str, str] | None = None,
    *,
    parameter_names: StudyParameters,
    project_parameters: ProjectParameters | None = None,
    check_condition: CheckCondition | None = None,
    known_studies: Iterable[str] = (),
    root: Path | None = None,
    in_own_names: OwnNames | None = None,
    aliases_of: Callable[[str], Mapping[str, str]] = lambda study: {},
    metrics_of: Callable[[str], Mapping[str, Metric]] = lambda study: {},
    taken: Take | None = None,
) -> Sweep:
    """Read a sweep file, apply the command line, and check everything.

    Args:
        path: the sweep file, or its contents; None: the command line has all keys.
        overrides: key -> text from the command line: any key of a sweep file, dotted; `space` in Hydra's sweep grammar;
            any parameter of the study, which is then fixed and not in the space; one of the file's own `short_forms`.
        parameter_names: study -> {dotted parameter: its type}, or None if there is no such study.
        project_parameters: foreign project, entry point, version -> {declared parameter: its type, None if it takes any
            plain value}, or None if it has no such entry point; None: there are no foreign projects.
        check_condition: called with (study, {parameter: value}, including the seed); raises a UserError if the study
            refuses it. It is not called for a foreign project.
        known_studies: studies to name in the error if the study does not exist.
        root: root of the project, to which a `parameters_file` is relative; None: the working directory.
        in_own_names: turns the contents of a `parameters_file` into the names of the study's fields; see
            `add_parameters_file`.
        aliases_of: study -> other names of its parameters -> their own.
        taken: finds the winner of another sweep, for `parameters_from`; None: there are no other sweeps.
        metrics_of: study -> declarations of its metrics, which give the direction of an objective without one.

    Raises:
        SpecError: one line: place, key, rule, value, way out.
    """
    check_length(overrides or {})
    document = path if isinstance(path, Document) else read_sweep_file(path)
    _check_keys(document)
    document, written = with_short_forms(document, overrides or {}, SWEEP_KEYS)
    in_file = expand_short_forms(document)
    document, given = override_sweep_keys(in_file, written, SWEEP_KEYS)
    check_plain(document)
    check_plain(Document(source="command line", data=dict(given.values), places={}))
    check_available(document)
    document = with_command_defaults(document)
    _check_values(document)
    target = find_target(document, parameter_names, known_studies, project_parameters, aliases_of)
    _check_not_ambiguous(written, given, target)
    if target.aliases:  # once more, now that each parameter can be called by its own name, in the file and beside it
        document, given = override_sweep_keys(with_own_names(in_file, target), written, SWEEP_KEYS, target.aliases)
        document = with_own_names(document, target)
    document = take_parameters(flatten_parameters(document, target), taken)
    document = add_parameters_file(document, target, root or Path.cwd(), in_own_names)
    document = settle_exponents(fix_parameters(document, _known_parameters(given, target, document)), target)
    check_placeholders(document)
    check_parameters(document, target)
    if document.data.get("study") is not None:
        document = with_declared_directions(document, metrics_of(document.data["study"]), target.label)
    sweep = _validate(_with_values(document, read_domains(document, target)))
    check_rules(sweep, document)
    check_unexposed(sweep, document)
    check_varied_fields(sweep, document, target)
    if check_condition is not None and sweep.study is not None:
        check_conditions(sweep, document, check_condition)
    return sweep


def read_sweep_file(path: str | Path | None) -> Document:
    """Read a sweep file without checking it; without a file the contents are empty.

    Raises:
        SpecError: the file is missing or unreadable, is not YAML, or has values that YAML misreads.
    """
    if path is None:
        return Document(source="command line", data={}, places={})
    return read_document(path)


def from_resolved(resolved: Mapping[str, Any]) -> Sweep:
    """Make a sweep from the plain values of `resolved`.

    Raises:
        SpecError: the values are from another version.
    """
    document = Document(source="recorded sweep", data=dict(resolved), places={})
    space = document.data.get("space") or {}
    domains = {name: read_domain(document, ("space", name), raw) for name, raw in space.items()}
    sweep = _validate(_with_values(document, domains))
    check_rules(sweep, document)
    return sweep


def _with_values(document: Document, domains: Mapping[str, Domain]) -> Document:
    """The document with what the schema does not read itself: domains, pruner, enqueued conditions, entry point."""
    data = {
        **with_entry_point(document.data),
        "space": dict(domains),
        "pruner": read_pruner(document),
        "enqueue": enqueued_values(document.data.get("enqueue"), domains),
    }
    return Document(source=document.source, data=data, places=document.places)


def _check_keys(document: Document) -> None:
    for key in document.data:
        if key not in SWEEP_KEYS:
            known = known_names(key, KEYS)
            raise document.error((key,), f"is not a key of a sweep file; {known}")


def _known_parameters(given: GivenParameters, target: Target, document: Document) -> dict[str, Any]:
    """The overrides that are no sweep key, as parameters: `optimizer={lr: 1}` is `optimizer.lr`."""
    at = Document(source="command line", data={"parameters": dict(given.values)}, places={})
    flat = flatten_parameters(at, target).data["parameters"]
    used = {*(document.data.get("space") or {}), *document.data["parameters"]} if target.is_open else set()
    for name in flat:
        is_below = target.is_open and name in given.below  # parameters.NAME: whether it is taken is checked there
        is_known = name in target.parameters or name in target.undeclared
        if not is_known and name not in used and not is_below:
            own = [other for other in target.parameters if other != target.seed_parameter]
            known = known_names(name, (*KEYS, *own))
            if name in given.below:
                raise at.error((name,), f"is not a parameter of {target.label}; {known_names(name, own)}")
            way = f"; to pass it on all the same, give parameters.{name}" if target.is_open else ""
            way += "" if target.takes(name) or target.is_command or not way else f" and undeclared=[{name}]"
            reason = f"is neither a key of a sweep file nor a parameter of {target.label}{way}; {known}"
            raise at.error((name,), reason)
        _check_not_staged(at, name, document)
    return flat


def _check_not_ambiguous(written: Mapping[str, str], given: GivenParameters, target: Target) -> None:
    """An override that is a key of a sweep file and a parameter of a foreign project: nobody can say which is meant."""
    for key in written if target.is_open else ():
        is_own = key in target.parameters and key != target.seed_parameter
        if is_own and key in SWEEP_KEYS and key not in _FILLED_IN and key not in given.below:
            at = Document(source="command line", data={}, places={})
            reason = (
                f"is a key of a sweep file and a parameter of {target.label}; for the parameter give "
                f"parameters.{key}={written[key]}, for the key write it in the sweep file"
            )
            raise at.error((key,), reason)


def _check_not_staged(at: Document, name: str, document: Document) -> None:
    """What the stages say wins over what is fixed for all: said, not passed over."""
    stages = document.data.get("stages")
    for n, stage in enumerate(stages if isinstance(stages, list) else []):
        if isinstance(stage, Mapping) and name in (stage.get("parameters") or {}):
            reason = f"is set by stages[{n}].parameters, which wins over it; give stages as a whole"
            raise at.error((name,), reason)


def _validate(document: Document) -> Sweep:
    """Validate against the schema; of several errors the first is raised, and the others are counted."""
    data = {key: value for key, value in document.data.items() if value is not None}
    try:
        return validated(Sweep, data)
    except ValidationError as error:
        raise _first_of(error.errors(), document, data) from None


def _check_values(document: Document) -> None:
    """Refuse the values that no study is needed to refuse; what is missing may still come from the study."""
    if not has_exponent(document.data.get("pruner")):  # what such a number is, is settled later
        read_pruner(document)
    data = {key: value for key, value in document.data.items() if value is not None and key not in _READ_APART}
    try:
        validated(Sweep, data)
    except ValidationError as error:
        wrong = [detail for detail in error.errors() if detail["type"] != "missing"]
        if wrong:
            raise _first_of(wrong, document, data) from None


def _first_of(details: Sequence[Any], document: Document, data: Mapping[str, Any]) -> SpecError:
    found = sorted(details, key=lambda detail: detail["type"] != "extra_forbidden")
    path = _path(found[0]["loc"], data)
    others = {_path(detail["loc"], data) for detail in found} - {path}
    more = f" (and {len(others)} more)" if others else ""
    return document.error(path, f"{_reason(found[0])}{more}")


def _path(location: tuple[int | str, ...], data: Any) -> KeyPath:
    """Pydantic's location without the parts that name a member of a union; a missing key comes last."""
    path: list[int | str] = []
    for part in location:
        if isinstance(part, int) and isinstance(data, Mapping):
            continue  # the one objective of a file is a list of one to the schema
        is_key = isinstance(data, Mapping) or (isinstance(data, (list, tuple)) and isinstance(part, int))
        if not is_key:
            break
        path.append(part)
        data = data.get(part) if isinstance(data, Mapping) else data[int(part)]
    return tuple(path)


def _reason(detail: Any) -> str:
    kind = detail["type"]
    if kind == "missing" and detail["loc"][-1] == "direction":
        return "is missing, and no study declares it; give direction: minimize or maximize"
    if kind == "missing" and detail["loc"] == ("objective",):
        return "is missing; say what is optimised, as in objective: {metric: val_loss, direction: minimize}"
    if kind == "missing":
        way = "every sweep needs it" if len(detail["loc"]) == 1 else "give it"
        way = "give minimize or maximize" if detail["loc"][-1] == "direction" else way
        return f"is missing; {way}"
    if kind == "extra_forbidden":
        known = known_names(str(detail["loc"][-1]), _keys_beside(detail["loc"]))
        return f"is not a key of a sweep file here; {known}"
    if kind in (WHOLE_REASON, UNKNOWN_NAME):
        return detail["msg"].removeprefix("Value error, ")
    return f"{rule_words(detail['msg'])}, not {shortened(detail['input'])}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Sweep
    for part in location[:-1]:
        if isinstance(part, str) and hasattr(model, "model_fields"):
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(fields[part].annotation) if part in fields else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    """The model in `Model`, `Model | None` or `tuple[Model, ...]`."""
    return next((one for one in (annotation, *get_args(annotation)) if hasattr(one, "model_fields")), annotation)
