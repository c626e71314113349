"""A worker that dies between any two transactions of a race or a confirmation: whoever goes on ends the same way."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.results import read_results
from rothamsted.tracking import find_runs, read_history
from tests.sweep.conftest import Project
from tests.sweep.power_cut import PowerCut, power

PLAIN: dict[str, Any] = {
    "parameters": {"steps": 4, "n_points": 2, "own_noise": 0.01},
    "space": {"lr": [0.05, 1.0]},  # after 4 steps: 0.33 and 0, by 0.5 (1 - lr)^8
    "replicates": {"count": 2},
}
RACE = {
    **PLAIN,
    "space": {"lr": [0.05, 0.9, 1.0]},  # 0.9 ends at 5e-9
    "replicates": {"racing": {"min": 3, "max": 5}},
    "confirm": {"keep": 1, "replicates": 3},
}


def outcome(project: Project, context: SweepContext) -> dict[str, Any]:
    """Everything that a sweep leaves behind, but for ids and times."""
    found = find_runs(None, {tags.SWEEP: context.sweep.name}, uri=project.tracking_uri)
    found = [run for run in found if run.tags[tags.ROLE] != "sweep"]
    histories = read_history([run.run_id for run in found], uri=project.tracking_uri)
    kept = (tags.PHASE, tags.TRIAL, tags.REPLICATE, tags.SEED, tags.OUTCOME, tags.RACE, "rothamsted.n_finished")
    closed = context.confirmation().queue.attribute(tags.CONFIRMED) if context.sweep.confirm is not None else {}
    return {
        "runs": sorted((run.name, run.status, [run.tags.get(key) for key in kept]) for run in found),
        "points": Counter(
            (run.name, point.key, point.step, point.value)
            for run in found
            for point in histories[run.run_id]
            if not point.key.startswith(("seconds", "samples_per_second"))
        ),
        "search": [(r.number, r.race, r.summary, r.outcomes) for r in read_results(context.queue)],
        "confirmed": {trial: (result["summary"], result["outcomes"]) for trial, result in closed.items()},
    }


def sweep_with_cut(project: Project, changes: dict[str, Any], at: int | None) -> tuple[dict[str, Any], int]:
    """Run until the power fails, then start again; returns what there is in the end, and the commits before."""
    changes = {**changes, "name": f"cut-{at}"}
    context = project.start(changes)
    with power(at) as supply, contextlib.suppress(PowerCut):
        project.work(context)
        assert at is None, "the cut came after the end"
    again = project.start(changes)
    for queue in [again.queue, *([again.confirmation().queue] if again.sweep.confirm is not None else [])]:
        queue.leases.end()
    project.work(again)
    return outcome(project, again), supply.n_commits


def check_cuts(project: Project, changes: dict[str, Any], *, first: int, every: int) -> None:
    straight, n_commits = sweep_with_cut(project, changes, None)
    assert max(straight["points"].values()) == 1
    for at in range(first, n_commits, every):
        ended, _ = sweep_with_cut(project, changes, at)
        for what, expected in straight.items():
            assert ended[what] == expected, f"{what}, cut before commit {at} of {n_commits}"


def test_a_sweep_ends_alike_wherever_a_worker_dies(project: Project) -> None:
    check_cuts(project, PLAIN, first=0, every=1)


def test_a_race_and_its_confirmation_end_alike_wherever_a_worker_dies(project: Project) -> None:
    check_cuts(project, RACE, first=9, every=24)


@pytest.mark.slow
def test_a_race_and_its_confirmation_end_alike_for_every_place_where_a_worker_can_die(project: Project) -> None:
    check_cuts(project, RACE, first=0, every=1)
