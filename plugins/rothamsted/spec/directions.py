"""Take the direction of an objective from its study if the file gives none; refuse another direction in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rothamsted.metric import Metric, declared
from rothamsted.spec.document import Document, KeyPath


def with_declared_directions(document: Document, metrics: Mapping[str, Metric], label: str) -> Document:
    """Return the document with the directions that the study declares for the objectives' metrics.

    Args:
        document: The sweep file with the overrides of the command line.
        metrics: The study's declarations.
        label: Name of the study in errors.

    Raises:
        SpecError: A direction is not the declared one.
    """
    raw = document.data.get("objective")
    several = isinstance(raw, (list, tuple))
    given = list(raw) if several else [raw]
    told = [
        _with_direction(document, ("objective", index) if several else ("objective",), one, metrics, label)
        for index, one in enumerate(given)
    ]
    if raw is None or told == given:
        return document
    data = {**document.data, "objective": told if several else told[0]}
    return Document(source=document.source, data=data, places=document.places)


def _with_direction(document: Document, path: KeyPath, one: Any, metrics: Mapping[str, Metric], label: str) -> Any:
    """One objective as the file has it; what is no mapping, or a composite score, is for the schema to judge."""
    if not isinstance(one, Mapping) or not isinstance(one.get("metric"), str) or one.get("expression") is not None:
        return one
    metric, wanted = one["metric"], declared(metrics, one["metric"]).direction
    if wanted is None or one.get("direction") == wanted:
        return one
    if one.get("direction") in ("minimize", "maximize"):
        reason = (
            f"is {one['direction']}, but {label} declares {metric} as one to {wanted}; give {wanted}, or leave it out"
        )
        raise document.error((*path, "direction"), reason)
    return {**one, "direction": wanted} if one.get("direction") is None else one
