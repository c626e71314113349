"""Define what a model registry holds as plain values, and check what it can hold.

A value that is refused must be refused before the first of several calls is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import (
    MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH,
    _validate_model_alias_name,
    _validate_model_alias_name_reserved,
)

from rothamsted.errors import StoreError
from rothamsted.tracking.checked import checked_key
from rothamsted.tracking.failures import one_line

MAX_DESCRIPTION_LENGTH = 5_000  # column model_versions.description
MAX_MODEL_TAG_LENGTH = 5_000  # column registered_model_tags.value; of a version there is no limit but MLflow's own
MAX_VERSION_TAG_LENGTH = MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH


@dataclass(frozen=True, kw_only=True)
class FoundVersion:
    """Holds a version of a registered model."""

    model: str
    version: str  # "1", "2", ...
    source: str  # URI of the model that it serves
    run_id: str  # empty where it came from no run
    created_ms: int
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class FoundModel:
    """Holds a registered model."""

    name: str
    created_ms: int
    tags: Mapping[str, str]
    aliases: Mapping[str, str]  # alias -> version


def logged_model_id(model_uri: str) -> str | None:
    """Return the id in `models:/m-…`; None for any other address."""
    scheme, _, rest = model_uri.partition(":/")
    return rest if scheme == "models" and rest.startswith("m-") and "/" not in rest else None


def check_alias(alias: str) -> None:
    """Refuse what MLflow does not take as an alias.

    Raises:
        StoreError: with MLflow's reason.
    """
    checked_name(_validate_model_alias_name, alias, f"alias {alias!r}")
    checked_name(_validate_model_alias_name_reserved, alias, f"alias {alias!r}")


def checked_version_tag(key: str, value: str) -> str:
    """Return the value of a version's tag if the registry can hold it."""
    return _checked_tag(key, value, MAX_VERSION_TAG_LENGTH)


def checked_model_tag(key: str, value: str) -> str:
    """Return the value of a registered model's tag if the registry can hold it."""
    return _checked_tag(key, value, MAX_MODEL_TAG_LENGTH)


def _checked_tag(key: str, value: str, limit: int) -> str:
    checked_key("tag", key)
    if len(value) > limit or "\x00" in value:
        raise StoreError(f"tag {key!r}: has {len(value)} characters or a NUL; the registry keeps {limit}, without NUL")
    return value


def checked_name(check: Callable[[str], object], value: str, place: str) -> None:
    """Raise StoreError, in one line, where MLflow's own check refuses a name."""
    try:
        check(value)
    except MlflowException as error:
        raise StoreError(f"{place}: MLflow refuses the name: {one_line(error)}") from error


def short(markdown: str) -> str:
    """Return a text cut to what a description may hold."""
    if len(markdown) <= MAX_DESCRIPTION_LENGTH:
        return markdown
    end = "\n\n… (cut)\n"
    return markdown[: MAX_DESCRIPTION_LENGTH - len(end)] + end


def model_of(found: RegisteredModel) -> FoundModel:
    """Return MLflow's registered model as a plain value."""
    return FoundModel(
        name=found.name,
        created_ms=int(found.creation_timestamp or 0),
        tags=dict(found.tags),
        aliases={alias: str(version) for alias, version in found.aliases.items()},
    )


def version_of(found: ModelVersion) -> FoundVersion:
    """Return MLflow's model version as a plain value."""
    return FoundVersion(
        model=found.name,
        version=str(found.version),
        source=found.source or "",
        run_id=found.run_id or "",
        created_ms=int(found.creation_timestamp or 0),
        description=found.description or "",
        tags=dict(found.tags),
    )
