"""Find the defaults of a study's config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.studies.fields import flatten, set_fields


def defaults_of(config: type[BaseModel], used: Mapping[str, Any]) -> dict[str, Any] | None:
    """Map dotted fields to their defaults; a field that has to be given is left out.

    Args:
        config: Of the study.
        used: Dotted field -> a value that it takes, with every field that has to be given.

    Returns:
        None where the config cannot be made of defaults, as its fields go together in other ways.
    """
    needed = {name for name, field in config.model_fields.items() if field.is_required()}
    given = {name: value for name, value in used.items() if name.partition(".")[0] in needed}
    try:
        found = flatten(set_fields(config, given))
    except StudyError:
        return None
    return {name: value for name, value in found.items() if name.partition(".")[0] not in needed}
