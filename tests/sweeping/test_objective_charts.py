"""What the page of a trial in MLflow charts of its objective: how the estimate settled, by the number of replicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from rothamsted import tags
from rothamsted.tracking import read_history
from tests.sweeping.conftest import Project
from tests.sweeping.test_race import replicate_runs, trial_runs

SWEEP: dict[str, Any] = {
    "space": {"lr": [0.25]},
    "parameters": {"steps": 4, "n_points": 2, "own_noise": 0.01},
    "replicates": {"count": 4},
}


def charts(project: Project, run_id: str) -> dict[str, dict[int, float]]:
    """Statistic of the objective -> step -> value."""
    found: dict[str, dict[int, float]] = {}
    for point in read_history([run_id], uri=project.tracking_uri)[run_id]:
        if point.key.startswith("objective/"):
            found.setdefault(point.key.partition("/")[2], {})[point.step] = point.value
    return found


def test_mean_interval_and_n_are_there_for_each_number_of_replicates_and_the_spread_once(project: Project) -> None:
    project.work(project.start(SWEEP))
    [trial] = trial_runs(project).values()
    in_order = sorted(replicate_runs(project), key=lambda r: int(r.tags[tags.REPLICATE]))
    values = [r.metrics["objective"] for r in in_order]
    found = charts(project, trial.run_id)
    assert found["n"] == {2: 2, 3: 3, 4: 4}
    # Authority: numpy's mean and scipy's t interval of the first two, three and four replicates.
    for n in (2, 3, 4):
        low, high = stats.t.interval(0.95, n - 1, np.mean(values[:n]), stats.sem(values[:n]))
        shown = [found[name][n] for name in ("mean", "ci_low", "ci_high")]
        assert shown == pytest.approx([np.mean(values[:n]), low, high], rel=1e-9)
    assert {step for name in ("sd", "sem", "median", "min", "max") for step in found[name]} == {0}
    assert found["sd"][0] == pytest.approx(np.std(values, ddof=1))
