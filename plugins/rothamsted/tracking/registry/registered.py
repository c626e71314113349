"""Read and write MLflow's model registry: registered models, their versions, tags and aliases.

Calls are not buffered. `change` moves aliases.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.environment_variables import MLFLOW_REGISTRY_URI
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS
from mlflow.utils.validation import _validate_model_name

from rothamsted.errors import StoreError
from rothamsted.given_files import json_of
from rothamsted.masking import masked
from rothamsted.tracking.address import tracking_uri as current_tracking_uri
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.reach import check_reachable
from rothamsted.tracking.registry.found import (
    FoundModel,
    FoundVersion,
    check_alias,
    checked_model_tag,
    checked_name,
    checked_version_tag,
    logged_model_id,
    model_of,
    short,
    version_of,
)
from rothamsted.tracking.registry.names import no_model
from rothamsted.tracking.sql.schema import check_schema
from rothamsted.tracking.sql.statements import DIALECTS

_ATTEMPTS = 5  # of a SQL store that is locked by another writer
_PAGE = 1000  # versions
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class ModelRegistry:
    """Reads and changes one model registry. It keeps no connection and no state: cheap to make, safe to hand on."""

    uri: str
    tracking_uri: str
    _client: MlflowClient = field(repr=False)

    @property
    def place(self) -> str:
        """Name the registry as messages do."""
        return f"registry {masked(self.uri)}"

    def check_reachable(self) -> None:
        """Raise StoreError, within seconds, unless the registry can be read; creates nothing."""
        try:
            check_reachable(self.uri)
        except StoreError as error:
            raise StoreError(f"model registry: {error}") from error

    # ---- registered models ----

    def find_model(self, name: str) -> FoundModel | None:
        """Return the registered model of this name; None where there is none."""
        try:
            return model_of(self._client.get_registered_model(name))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise StoreError(f"{self.place}: cannot read model {name!r}: {one_line(error)}") from error

    def model(self, name: str) -> FoundModel:
        """Return the registered model of this name.

        Raises:
            StoreError: there is none; the message names those that exist.
        """
        found = self.find_model(name)
        if found is None:
            raise no_model(name, self.model_names(), self.uri)
        return found

    def model_names(self) -> list[str]:
        """Return the names of all registered models, sorted."""
        found = self._call("list models", lambda: self._client.search_registered_models(max_results=_PAGE))
        return sorted(model.name for model in found)

    def create_model(self, name: str, *, description: str = "") -> FoundModel:
        """Return the registered model of this name, made where it is missing; two may try at once."""
        found = self.find_model(name)
        if found is not None:
            return found
        checked_name(_validate_model_name, name, f"registered model {name!r}")
        try:
            self._client.create_registered_model(name, description=description or None)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise StoreError(f"{self.place}: cannot create model {name!r}: {one_line(error)}") from error
        return self.model(name)

    # ---- versions ----

    def versions(self, name: str) -> list[FoundVersion]:
        """Return all versions of a model, in the order of their numbers; deleted ones left out."""
        found: list[FoundVersion] = []
        token: str | None = None
        while True:
            page = self._call(
                f"list versions of model {name!r}",
                lambda token=token: self._client.search_model_versions(
                    f"name = '{name}'", max_results=_PAGE, page_token=token
                ),
            )
            found += [version_of(version) for version in page if version.name == name]
            token = page.token
            if not token:
                return sorted(found, key=lambda version: int(version.version))

    def create_version(self, name: str, *, model_uri: str, run_id: str, tags: Mapping[str, str]) -> FoundVersion:
        """Register a logged model as a new version. Version and tags appear together, or not at all.

        Args:
            name: Name of an existing registered model.
            model_uri: `models:/m-…` of a logged model, or the place of any model's files.
            run_id: The run that the model belongs to.
            tags: Tags of the version, by which a repeated call recognises it.

        Raises:
            StoreError: no such model, a tag that the registry cannot hold, no answer.
        """
        self._check_current()
        checked = {key: checked_version_tag(key, value) for key, value in tags.items()}
        logged_id = logged_model_id(model_uri)
        made = self._call(
            f"register {model_uri} as a version of {name!r}",
            lambda: self._client.create_model_version(
                name, model_uri, run_id, tags=checked, description="", model_id=logged_id
            ),
        )
        return version_of(made)

    def link_logged_model(self, version: FoundVersion) -> None:
        """Let the page of a version's logged model lead to it, as `mlflow.register_model` does; done once."""
        logged_id = logged_model_id(version.source)
        if logged_id is None:
            return
        entry = {"name": version.model, "version": int(version.version)}

        def write() -> None:
            listed = self._client.get_logged_model(logged_id).tags.get(MLFLOW_MODEL_VERSIONS, "[]")
            place = f"logged model {logged_id}: tag {MLFLOW_MODEL_VERSIONS}"
            known = json_of(listed, list, source=place, way_out="delete the tag", error=StoreError)
            if entry not in known:
                self._client.set_logged_model_tags(logged_id, {MLFLOW_MODEL_VERSIONS: json.dumps([*known, entry])})

        self._call(f"tag logged model {logged_id}", write)

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version, one after another in this order; older values are overwritten."""
        for key, value in tags.items():
            text = checked_version_tag(key, value)
            self._call(
                f"tag version {version} of {name!r}",
                lambda key=key, text=text: self._client.set_model_version_tag(name, version, key, text),
            )

    def describe_version(self, name: str, version: str, markdown: str) -> None:
        """Set the text that the UI shows on a version's page; cut at MAX_DESCRIPTION_LENGTH characters."""
        task = f"describe version {version} of {name!r}"
        self._call(task, lambda: self._client.update_model_version(name, version, description=short(markdown)))

    def has_logged_model(self, model_uri: str) -> bool:
        """Say whether the logged model `models:/m-…` is there; any other address is taken as it is."""
        logged_id = logged_model_id(model_uri)
        if logged_id is None:
            return True
        try:
            self._client.get_logged_model(logged_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return False
            raise StoreError(f"{self.place}: cannot read model {model_uri}: {one_line(error)}") from error
        return True

    # ---- tags and aliases of a model, each by itself; several at once: `registry_change.apply` ----

    def set_model_tag(self, name: str, key: str, value: str | None) -> None:
        """Set a tag of a registered model; None removes it."""
        text = None if value is None else checked_model_tag(key, value)
        if text is None:
            self._call(f"tag model {name!r}", lambda: self._client.delete_registered_model_tag(name, key))
        else:
            self._call(f"tag model {name!r}", lambda: self._client.set_registered_model_tag(name, key, text))

    def set_alias(self, name: str, alias: str, version: str | None) -> None:
        """Let an alias point at a version; None removes it."""
        check_alias(alias)
        task = f"set alias {alias} of {name!r}"
        if version is None:
            self._call(task, lambda: self._client.delete_registered_model_alias(name, alias))
        else:
            self._call(task, lambda: self._client.set_registered_model_alias(name, alias, version))

    # ---- within ----

    def _check_current(self) -> None:
        """MLflow's SQL registry looks for a logged model in the process's own tracking store, whatever the client's."""
        if self.uri.startswith(DIALECTS) and current_tracking_uri() != self.tracking_uri:
            uri = masked(self.tracking_uri)
            raise StoreError(
                f"{self.place}: models of {uri} can only be registered by a process with this tracking URI; set "
                f"MLFLOW_TRACKING_URI={uri}"
            )

    def _call(self, task: str, call: Callable[[], _T]) -> _T:
        attempt = 1
        while True:
            try:
                return call()
            except MlflowException as error:
                is_locked = self.uri.startswith("sqlite") and "database is locked" in str(error)
                if attempt == _ATTEMPTS or not is_locked:
                    raise StoreError(f"{self.place}: cannot {task}: {one_line(error)}") from error
            time.sleep(0.1 * 2**attempt)
            attempt += 1


def open_registry(tracking_uri: str | None = None) -> ModelRegistry:
    """Open the registry that belongs to a tracking store: MLFLOW_REGISTRY_URI where it is set, else the same place."""
    tracking = tracking_uri or current_tracking_uri()
    uri = MLFLOW_REGISTRY_URI.get() or tracking
    for place in (tracking, uri):
        check_schema(place)
    return ModelRegistry(uri=uri, tracking_uri=tracking, _client=MlflowClient(tracking, uri))
