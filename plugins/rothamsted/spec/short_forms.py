"""A sweep file's own short forms: names for the command line, each for one key or several of the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rothamsted.spec.document import Document

OWN_SHORT_FORMS = "short_forms"


def with_short_forms(
    document: Document, overrides: Mapping[str, str], sweep_keys: Collection[str]
) -> tuple[Document, dict[str, str]]:
    """Write the overrides that use the file's own short forms out as what they are short for; the key itself goes.

    A short form of several keys takes as many values, `gamma_range=0.1,10`, in the order of the keys.

    Args:
        document: with or without `short_forms: {gamma_range: [space.gamma.low, space.gamma.high]}`.
        overrides: key -> text of the command line.
        sweep_keys: what a sweep file has; no short form may be called so.

    Raises:
        SpecError: a short form that is none, other values than it has keys, or a key that is given in full, too.
    """
    forms = _checked(document, sweep_keys)
    data = {key: value for key, value in document.data.items() if key != OWN_SHORT_FORMS}
    found = {key: text for key, text in overrides.items() if key not in forms}
    at = Document(source="command line", data={}, places={})
    for name in (name for name in forms if name in overrides):
        keys, text = forms[name], overrides[name]
        texts = [text] if len(keys) == 1 else [one.strip() for one in text.strip("[]() ").split(",")]
        if len(texts) != len(keys) or not all(texts):
            raise at.error((name,), f"{text!r} must be {len(keys)} values with commas, for {', '.join(keys)}")
        for key, value in zip(keys, texts, strict=True):
            if key in found:
                raise at.error((name,), f"is short for {key}, which is given, too; give one of the two")
            found[key] = value
    return Document(source=document.source, data=data, places=document.places), found


def _checked(document: Document, sweep_keys: Collection[str]) -> dict[str, list[str]]:
    given: Any = document.data.get(OWN_SHORT_FORMS)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise document.error((OWN_SHORT_FORMS,), f"must be names with the keys they are short for, not {given!r}")
    forms: dict[str, list[str]] = {}
    for name, keys in given.items():
        listed = [keys] if isinstance(keys, str) else keys
        path = (OWN_SHORT_FORMS, str(name))
        if not isinstance(listed, list) or not listed or not all(isinstance(key, str) and key for key in listed):
            raise document.error(path, f"must be a key, such as space.gamma.low, or a list of them, not {keys!r}")
        if str(name).partition(".")[0] in sweep_keys:
            raise document.error(path, "is a key of a sweep file already; give it another name")
        forms[str(name)] = listed
    return forms
