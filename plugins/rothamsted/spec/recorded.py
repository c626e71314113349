"""Make the record of a sweep: without the secrets of its addresses, and with only the names of its variables.

The process that runs a sweep has its secrets from the file, the command or the environment. A worker gets them from the
process that started it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from rothamsted.masking import MASK, is_secret, masked, without_secrets
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.resolved import resolved
from rothamsted.spec.schema import Sweep

# Keys that hold addresses, and sections that hold variables of processes: what is secret in them is not recorded.
ADDRESSES = (("project",), ("storage",), ("warm_start", "storage"), ("execution", "address"))
VARIABLES = (("execution", "environment"), ("execution", "runtime_env", "env_vars"))
_SECTIONS = frozenset(path[-1] for path in VARIABLES)
_SHORTEST = 8  # characters of a value that is looked for in the whole text of a file: 1 or true is no secret


def recorded(sweep: Sweep) -> dict[str, Any]:
    """Return the resolved sweep as it is kept and compared: addresses without secrets, variables by name only."""
    return without_secrets_in(resolved(sweep))


def without_secrets_in(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved sweep without secrets."""
    kept = json.loads(json.dumps(plain))
    for *above, name in ADDRESSES:
        section = _section(kept, above)
        if isinstance(section.get(name), str):
            section[name] = without_secrets(section[name])
    for path in VARIABLES:
        section = _section(kept, path)
        section.update(dict.fromkeys(section, MASK))
    return kept


def check_unexposed(sweep: Sweep, document: Document) -> None:
    """Refuse a password or token in a part of a sweep that is recorded as it is, such as parameters.

    Raises:
        SpecError: names the key.
    """
    for path, text in _texts(without_secrets_in(resolved(sweep)), ()):
        if is_secret(text):
            reason = (
                f"holds a password or token ({masked(text)}), which would be recorded; pass it to the training by the "
                "environment of the command, or by execution.environment"
            )
            raise document.error(path, reason)


def _texts(plain: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """All texts of a value, with their places."""
    if isinstance(plain, str):
        yield path, plain
    for key, value in plain.items() if isinstance(plain, dict) else ():
        yield from _texts(value, (*path, key))
    for number, value in enumerate(plain) if isinstance(plain, list) else ():
        yield from _texts(value, (*path, number))


def secrets_of(sweep: Sweep) -> dict[str, Any]:
    """Return the secrets of a sweep, which are not recorded, as JSON values: section -> value, see `with_secrets`."""
    plain, found = resolved(sweep), {}
    for path in (("project",), *VARIABLES):
        value = _section(plain, path[:-1]).get(path[-1])
        if value and (not isinstance(value, str) or is_secret(value)):
            found[".".join(path)] = value
    return found


def with_secrets(plain: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded sweep with the secrets of `secrets_of`."""
    whole = json.loads(json.dumps(plain))
    for key, value in secrets.items():
        *above, name = key.split(".")
        _section(whole, above)[name] = value
    return whole


def _section(plain: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The mapping at a path; one of its own where there is none."""
    for name in path:
        found = plain.get(name)
        plain = found if isinstance(found, dict) else {}
    return plain


def digest(sweep: Sweep) -> str:
    """Return the SHA-256 of the recorded sweep, in hex. Sweeps with equal digests are equal except for secrets."""
    text = json.dumps(recorded(sweep), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def recorded_text(text: str) -> str:
    """Return a sweep file's text as it is kept: values of variables and secrets of addresses are replaced by stars."""
    spans, values = [], []
    for node in _variables(yaml.compose(text, Loader=yaml.SafeLoader), is_below=False):
        spans.append((node.start_mark.index, node.end_mark.index))
        values.append(node.value)
    for start, end in sorted(set(spans), reverse=True):
        line_end = "\n" * text[start:end].endswith("\n")  # of a block scalar
        text = f"{text[:start]}{json.dumps(MASK)}{line_end}{text[end:]}"
    for value in values:
        if len(value) >= _SHORTEST:  # in a comment, too
            text = text.replace(value, MASK)
    return masked(text)


def _variables(node: yaml.Node | None, *, is_below: bool) -> Iterator[yaml.ScalarNode]:
    """The values of variables in a file, where they are written."""
    if isinstance(node, yaml.ScalarNode):
        if is_below:
            yield node
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _variables(one, is_below=is_below)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            is_section = isinstance(key, yaml.ScalarNode) and bool(_SECTIONS & set(key.value.split(".")))
            yield from _variables(value, is_below=is_below or is_section)
