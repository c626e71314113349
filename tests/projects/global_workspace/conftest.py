"""Training without pictures: the loader is replaced by made-up data, so that no autoencoder is trained."""

from __future__ import annotations

import pytest

from tests.projects.global_workspace.made_up import made_up_data


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training see made-up data."""
    for module in ("train", "arrays", "data.load"):
        monkeypatch.setattr(f"projects.global_workspace.{module}.load_data", made_up_data)
