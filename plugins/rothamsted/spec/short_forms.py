"""Expand a sweep file's own short forms: names on the command line for a key of the file or for the ends of a range."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from rothamsted.spec.document import Document, parse_override

OWN_SHORT_FORMS = "short_forms"
DECADES = "decades"  # `gamma_range: {decades: space.gamma}`: gamma_range=2 is 0.01 to 100


def with_short_forms(
    document: Document, overrides: Mapping[str, str], sweep_keys: Collection[str]
) -> tuple[Document, dict[str, str]]:
    """Expand overrides that use the file's own short forms, and remove the key `short_forms`.

    A short form of a key is another name of it. A short form of decades takes the width of a range, `gamma_range=2` for
    0.01 to 100, or its ends, `gamma_range=0.1,100`. The points per decade stay those of the file.

    Args:
        document: a document with or without `short_forms: {eta: optimizer.lr, gamma_range: {decades: space.gamma}}`.
        overrides: key -> text of the command line.
        sweep_keys: all keys of a sweep file; no short form may have such a name.

    Raises:
        SpecError: a short form is wrong, a value is not a width, or the key is given in full too.
    """
    forms = _checked(document, sweep_keys)
    data = {key: value for key, value in document.data.items() if key != OWN_SHORT_FORMS}
    names = {key: key.replace("-", "_") for key in overrides}  # --gamma-range, too
    found = {key: text for key, text in overrides.items() if names[key] not in forms}
    at = Document(source="command line", data={}, places={})
    for key in (key for key in overrides if key not in found):
        form = forms[names[key]]
        written = {form: overrides[key]} if isinstance(form, str) else _ends(at, key, overrides[key], form, data)
        for long, text in written.items():
            if long in found and not long.endswith(".points"):
                raise at.error((key,), f"is short for {long}, which is given, too; give one of the two")
            found.setdefault(long, text)
    return Document(source=document.source, data=data, places=document.places), found


def _ends(at: Document, key: str, text: str, form: Mapping[str, str], data: Mapping[str, Any]) -> dict[str, str]:
    """The ends of a range of the space, and its points where the file has any."""
    place = form[DECADES]
    domain = _domain(data, place)
    values = [parse_override(key, one) for one in text.strip("[]() ").split(",")]
    if len(values) not in (1, 2) or not all(isinstance(one, (int, float)) and one > 0 for one in values):
        reason = f"{text!r} must be a width in decades, 2 for 0.01 to 100, or two ends, 0.1,100"
        raise at.error((key,), reason)
    low, high = (10.0 ** -values[0], 10.0 ** values[0]) if len(values) == 1 else map(float, values)
    if low >= high:
        raise at.error((key,), f"low {low:g} is not below high {high:g}; swap them")
    written = {f"{place}.low": repr(low), f"{place}.high": repr(high)}
    if domain.get("points"):
        a_decade = (domain["points"] - 1) / math.log10(domain["high"] / domain["low"])
        written[f"{place}.points"] = str(1 + max(1, round(a_decade * math.log10(high / low))))
    return written


def _domain(data: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """The range that a short form of decades is about; empty: it is none."""
    space = data.get("space")
    domain = space.get(place.removeprefix("space.")) if isinstance(space, Mapping) else None
    is_range = isinstance(domain, Mapping) and all(
        isinstance(domain.get(end), (int, float)) and domain[end] > 0 for end in ("low", "high")
    )
    return domain if is_range and isinstance(domain, Mapping) and domain["low"] < domain["high"] else {}


def _checked(document: Document, sweep_keys: Collection[str]) -> dict[str, str | Mapping[str, str]]:
    given: Any = document.data.get(OWN_SHORT_FORMS)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise document.error((OWN_SHORT_FORMS,), f"must be names with what they are short for, not {given!r}")
    for name, form in given.items():
        path = (OWN_SHORT_FORMS, str(name))
        if str(name).partition(".")[0] in sweep_keys:
            raise document.error(path, "is a key of a sweep file already; give it another name")
        if isinstance(form, str) and form:
            continue
        if not isinstance(form, Mapping) or set(form) != {DECADES} or not _domain(document.data, str(form[DECADES])):
            reason = f"must be a key, or {{{DECADES}: space.NAME}} of a range above zero, not {form!r}"
            raise document.error(path, reason)
    return {str(name): form for name, form in given.items()}
