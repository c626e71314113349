"""Which tests run on one worker of pytest-xdist, so that what they share is made once, and which begin first.

Apart from the fixtures, because this is about processes. pytest-xdist's own groups (`xdist_group`) have no effect
under pytest 9: it gives a test's id no suffix any more.

The tests of a file run on one worker: its module fixtures, what it has computed once and what JAX has compiled for it
are made once. A worker gets the next file when it is almost done, so the files that take long must begin first: else
one worker is left alone with them at the end.
"""

from __future__ import annotations

from typing import Any

# What takes long, the longest first, by where an id starts. Those with one group run on one worker; "": a file each.
FIRST = {
    "tests/test_first_ten_minutes_page.py": "",  # a page for newcomers, command by command
    "tests/docs/test_howto_pages.py": "",  # pages whose commands follow the tutorial's
    "tests/fuzz/": "",  # mutants of all that is read, in one process
    "tests/test_new_study_page.py": "",
    "tests/test_python_page.py": "",
    "tests/browser/": "browser",  # one finished sweep and two web servers
    "tests/reporting/test_page_in_browser.py": "browser",
    "tests/docs/test_site_in_browser.py": "browser",
    "tests/sweeping/test_pauses.py": "pauses",  # a sweep for each place where a worker may be paused
    "tests/sweeping/test_run.py": "run",  # sweeps as a user runs them
    "tests/faults/": "faults",  # whole commands that are killed and given again
    "tests/places/": "",  # whole commands from other folders
    "tests/sweeping/test_on_ray.py": "",  # clusters of two nodes
    "tests/executors/": "",
    "tests/promotion/test_crashes.py": "trials",  # forked processes that are killed
    "tests/promotion/test_two_promotions.py": "trials",
    "tests/reporting/plots/test_rendering.py": "rendering",  # all plots of all worlds
    "tests/analysis/test_commands.py": "commands",  # a finished sweep
    "tests/docs/test_claims.py": "",  # a measured sweep
    "tests/doors/": "doors",  # an installed package
    "tests/mirroring/": "",  # W&B's own processes
    "tests/studies/test_killed_anywhere.py": "killed",
    "tests/tracking/test_models.py": "models",  # trained models
    "tests/search/test_away.py": "away",  # databases that are away for seconds
    "tests/sweeping/": "",  # the rest of the folder
    "tests/search/test_sampler_contract.py": "samplers",
    "tests/studies/test_by_hand.py": "by hand",
    "tests/projects/batch_size/": "",  # compilation by JAX
    "tests/projects/": "",
    "tests/cli/": "",
    "tests/test_packaging.py": "",
    "tests/foreign/": "",
    "tests/test_benchmarks.py": "benchmarks",  # a measured sweep
}


def scope_of(nodeid: str) -> str:
    """What a test shares a worker with: its group, or its file."""
    return _group_of(nodeid) or nodeid.partition("::")[0]


def place_of(nodeid: str) -> int:
    """When a test begins: the smaller, the earlier."""
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))


def _group_of(nodeid: str) -> str:
    return next((group for start, group in FIRST.items() if nodeid.startswith(start)), "")


def make_scheduler(config: Any, log: Any) -> Any:
    """pytest-xdist's scheduler of scopes, with the scopes of this module, in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    class BySharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    config.option.loadscopereorder = False  # xdist's own order: most tests first, however short they are
    return BySharing(config, log)
