"""The system that the tests run on, as it is and without what only Linux has."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from rothamsted.system import PORTABLE, System, this_system


@pytest.fixture(params=["linux", "portable"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """This process, and those that it starts, use what only Linux has, and do not, as on macOS."""
    is_portable = request.param == "portable"
    if not is_portable and not sys.platform.startswith("linux"):
        pytest.skip("not on Linux")
    monkeypatch.setenv(PORTABLE, "1" if is_portable else "0")
    this_system.cache_clear()
    found = this_system()
    assert found.keeps_orphans == found.forks_after_imports == (not is_portable)
    yield found
    this_system.cache_clear()
