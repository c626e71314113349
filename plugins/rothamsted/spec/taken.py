"""Take fixed parameters from another sweep once, and write them into the sweep's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rothamsted.errors import UserError
from rothamsted.space.values import shortened
from rothamsted.spec.document import Document
from rothamsted.spec.schema import Sweep

KEY = "parameters_from"

# (name of this sweep, name of the other, confirmed or best, storage) -> run_id, values, open_against
Take = Callable[[str, str, str, str], Mapping[str, Any]]


def take_parameters(document: Document, taken: Take | None) -> Document:
    """Add the values of another sweep's winner; the document's own parameters and space override them.

    Values that the document already has, as in a recorded file, stay.

    Args:
        document: a document with flat `parameters`.
        taken: function that finds the values.

    Raises:
        SpecError: the key is wrong, or the other sweep has no such condition.
    """
    raw = document.data.get(KEY)
    if raw is None:
        return document
    if not isinstance(raw, Mapping) or not isinstance(raw.get("sweep"), str):
        raise document.error((KEY,), f"must be as in {{sweep: NAME, take: confirmed}}, not {shortened(raw)}")
    found = dict(raw)
    if not isinstance(raw.get("values"), Mapping):
        found |= _asked(document, raw, taken)
    space = document.data.get("space")
    given = {*document.data["parameters"], *(space if isinstance(space, Mapping) else ())}
    more = {name: value for name, value in found["values"].items() if name not in given}
    place = document.places.get((KEY,), document.source)
    return Document(
        source=document.source,
        data={**document.data, KEY: found, "parameters": {**more, **document.data["parameters"]}},
        places={**{("parameters", name): place for name in more}, **document.places},
    )


def _asked(document: Document, raw: Mapping[str, Any], taken: Take | None) -> Mapping[str, Any]:
    other, take = str(raw["sweep"]), raw.get("take", "confirmed")
    own, storage = str(document.data.get("name")), document.data.get("storage", Sweep.model_fields["storage"].default)
    if other == own:
        raise document.error((KEY, "sweep"), f"{other!r} is this very sweep; name another one")
    if take not in ("confirmed", "best"):
        raise document.error((KEY, "take"), f"must be confirmed or best, not {take!r}")
    if taken is None:
        raise document.error((KEY, "sweep"), f"sweep {other!r} cannot be looked up here; give its values as parameters")
    try:
        return taken(own, other, take, str(storage))
    except UserError as error:
        raise document.error((KEY, "sweep"), str(error)) from None
