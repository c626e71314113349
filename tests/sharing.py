"""Which tests run on one worker of pytest-xdist, so that what they share is made once.

Apart from the fixtures, because this is about processes. pytest-xdist's own groups (`xdist_group`) have no effect
under pytest 9: it gives a test's id no suffix any more.
"""

from __future__ import annotations

from typing import Any

# Below these folders and in these files a session or module fixture takes many seconds: one worker each.
SHARED = {
    "tests/browser/": "browser",  # one finished sweep and two web servers
    "tests/report/test_page_in_browser.py": "browser",
    "tests/promotion/test_crashes.py": "trials",  # forked processes that are killed
    "tests/promotion/test_two_promotions.py": "trials",
    "tests/tracking/test_models.py": "models",  # trained models
    "tests/analysis/test_commands.py": "commands",  # a finished sweep
    "tests/test_benchmarks.py": "benchmarks",  # a measured sweep
    "tests/foreign/test_pool.py": "pool",
}


def scope_of(nodeid: str) -> str:
    """What a test shares a worker with: its group, or nothing but itself."""
    return next((group for start, group in SHARED.items() if nodeid.startswith(start)), nodeid)


def make_scheduler(config: Any, log: Any) -> Any:
    """pytest-xdist's scheduler of scopes, with the scopes of this module; the largest begin first."""
    from xdist.scheduler import LoadScopeScheduling

    class BySharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return BySharing(config, log)
