"""A working directory of their own for the tests of this folder, so that drawn data are kept between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds data/fonts for this process."""
    return tmp_path_factory.mktemp("emnist_mlp")


@pytest.fixture
def at_home(drawn_data: Path) -> Iterator[Path]:
    """Work in the folder with the drawn data."""
    before = Path.cwd()
    os.chdir(drawn_data)
    yield drawn_data
    os.chdir(before)
