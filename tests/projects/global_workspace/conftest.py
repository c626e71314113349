"""Training without pictures: the loader is replaced by made-up data, so that no autoencoder is trained.

It is compiled quickly, but for the slow tests, which see what is compiled for a user.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.projects.compiling import compiled_quickly
from tests.projects.global_workspace.made_up import made_up_data


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training see made-up data."""
    for module in ("train", "arrays", "data.load"):
        monkeypatch.setattr(f"projects.global_workspace.{module}.load_data", made_up_data)


@pytest.fixture(autouse=True)
def _compiled_quickly(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("slow") is not None:
        yield
        return
    with compiled_quickly():
        yield
