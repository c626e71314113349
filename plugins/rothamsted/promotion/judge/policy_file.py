"""Read a policy from a file in registry/, and find the policy that judges a sweep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from rothamsted.errors import SpecError
from rothamsted.promotion.judge.policy import Policy
from rothamsted.registries import UNKNOWN_NAME
from rothamsted.spec.document import KeyPath, check_plain, parse_document
from rothamsted.spec.exponents import validated
from rothamsted.suggest import known_names
from rothamsted.wording import rule_words
from rothamsted.yaml_text import compose, read_text

FOLDER = "registry"


def load_policy(path: str | Path, root: Path) -> Policy:
    """Read a policy file.

    Args:
        path: path of the file; a relative path is below `root`.
        root: the project's root.

    Raises:
        SpecError: one line: place, key, rule, value, way out.
    """
    text = _read(path, root)
    _check_is_mapping(text, path)
    document = parse_document(text, str(path))
    check_plain(document)
    try:
        policy = validated(Policy, {key: value for key, value in document.data.items() if value is not None})
    except ValidationError as error:
        found = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
        paths = [_path(detail) for detail in found]
        others = set(paths) - {paths[0]}
        more = f" (and {len(others)} more)" if others else ""
        raise document.error(paths[0], f"{_reason(found[0])}{more}") from None
    return policy.read_from(_below(path, root))


def load_judging(path: str | Path, root: Path, *, allow_policy: bool = False) -> Policy:
    """Read the policy file that judges. It must lie in registry/, unless others are allowed.

    Raises:
        SpecError: as `load_policy`; or the file lies elsewhere.
    """
    policy = load_policy(path, root)
    if policy.is_from_outside and not allow_policy:
        raise SpecError(
            f"{path}: lies outside {FOLDER}/, the folder of agreed policies; move it there, or give promote "
            "allow_policy=true (the verdict then says so)"
        )
    return policy


def find_policy(root: Path, study: str, *, sweep: str = "") -> Path:
    """Find the policy that judges a sweep: the one that names it, else the one of its study.

    Args:
        root: the project's root, with the folder of policies.
        study: study of the sweep.
        sweep: name of the sweep.

    Returns:
        The file, relative to `root`.

    Raises:
        SpecError: there is no policy or several, or a policy file with one of these names has a mistake.
    """
    policies = policies_for(root, study, sweep)
    named = [path for path, policy in policies if sweep and policy.sweep == sweep and policy.study in (None, study)]
    general = [path for path, policy in policies if policy.sweep is None and policy.study == study]
    what = f"sweep '{sweep}' of study '{study}'" if sweep else f"study '{study}'"
    return _only(named or general, policies, what)


def _read(path: str | Path, root: Path) -> str:
    way_out = f"give the path of a policy file, such as {FOLDER}/NAME.yaml"
    return read_text(root / path, str(path), way_out=way_out)


def _below(path: str | Path, root: Path) -> str:
    """The path relative to the root; as it is for a file that lies elsewhere."""
    absolute = (root / path).resolve()
    is_below = absolute.is_relative_to(root.resolve())
    return (absolute.relative_to(root.resolve()) if is_below else absolute).as_posix()


def _check_is_mapping(text: str, path: str | Path) -> None:
    try:
        node = compose(text)
    except yaml.YAMLError:
        return  # `parse_document` says where
    if not isinstance(node, yaml.MappingNode):
        raise SpecError(f"{path}: must be a mapping of keys to values; known: {', '.join(Policy.model_fields)}")


def _path(detail: Any) -> KeyPath:
    """Return the key that an error is about: pydantic's location, or the one that a rule over several keys names."""
    if detail["type"] == "policy_rule":
        return tuple(detail["ctx"]["key"].split("."))
    return tuple(detail["loc"])


def _reason(detail: Any) -> str:
    kind, message = detail["type"], detail["msg"]
    if kind == "missing":
        return "is missing; every policy needs it"
    if kind == "extra_forbidden":
        known = known_names(str(detail["loc"][-1]), _keys_beside(detail["loc"]))
        return f"is not a key of a policy{' here' if len(detail['loc']) > 1 else ''}; {known}"
    if kind in ("policy_rule", "constraint", UNKNOWN_NAME):
        return message
    return f"{rule_words(message)}, not {detail['input']!r}"


def _keys_beside(location: Sequence[Any]) -> list[str]:
    model: Any = Policy
    for part in location[:-1]:
        annotation = model.model_fields[part].annotation
        model = next((one for one in get_args(annotation) if hasattr(one, "model_fields")), annotation)
    return list(model.model_fields) if issubclass(model, BaseModel) else []


def policies_for(root: Path, *names: str) -> list[tuple[Path, Policy]]:
    """Return the policies of the folder. Files with mistakes are left out if they contain none of these names.

    Args:
        root: the project's root.
        names: names of a study, a sweep or a model; empty names are ignored.

    Raises:
        SpecError: a file with a mistake contains one of the names, so it may be the one that judges.
    """
    policies: list[tuple[Path, Policy]] = []
    for path in sorted(path.relative_to(root) for path in (root / FOLDER).glob("*.yaml")):
        try:
            policies.append((path, load_policy(path, root)))
        except SpecError:
            text = _text_of(path, root)
            if any(name and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text) for name in names):
                raise
    return policies


def _text_of(path: Path, root: Path) -> str:
    try:
        return f"{path.stem}\n{_read(path, root)}"
    except SpecError:
        return path.stem


def _only(found: Sequence[Path], policies: Sequence[tuple[Path, Policy]], what: str) -> Path:
    if len(found) == 1:
        return found[0]
    if found:
        files = ", ".join(path.as_posix() for path in found)
        raise SpecError(f"{FOLDER}/: {len(found)} policies judge {what}: {files}; say which one: policy=FILE")
    there = ", ".join(f"{path.as_posix()} ({_judged(policy)})" for path, policy in policies) or "none"
    raise SpecError(f"{FOLDER}/: no policy judges {what}; write one, or say policy=FILE; there are: {there}")


def _judged(policy: Policy) -> str:
    study = f"study {policy.study}" if policy.study else ""
    sweep = f"sweep {policy.sweep}" if policy.sweep else ""
    return f"model {policy.model}, {' '.join(part for part in (study, sweep) if part)}"
