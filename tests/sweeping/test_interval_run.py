"""A sweep whose file asks for another interval than Student's t: every place shows that one.

Authority: `scipy.stats.bootstrap` gives the kind, `statistics.mean_interval` (checked against it) the very numbers.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from optuna.trial import Trial
from optuna_dashboard import get_note
from rich.console import Console

from rothamsted import tags
from rothamsted.analysis.read_search import read_search
from rothamsted.statistics import mean_interval
from rothamsted.sweeping.coordinator.progress import Progress
from rothamsted.wording import with_basis
from tests.sweeping.conftest import Project
from tests.sweeping.search_run import Ran, run

SEEDS, BEST = 6, 1
CHANGES = {
    "parameters": {"steps": 20, "n_points": 5, "own_noise": 0.01},
    "space": {"lr": [0.02, 0.3]},
    "replicates": {"count": SEEDS},
    "confirm": {"keep": 1, "replicates": SEEDS},
}


def values_of(found: Ran, phase: str) -> list[float]:
    return [r.objective for r in found.found.replicates if (r.condition, r.phase) == (BEST, phase)]


def last_line(found: Ran) -> str:
    screen = io.StringIO()
    sweep, data = found.context.sweep, read_search(found.context.queue, found.context.sweep)
    progress = Progress(
        sweep=sweep, n_search=12, n_confirm=6, n_replicates=SEEDS, console=Console(file=screen, width=300)
    )
    progress.open(data)
    progress.close()
    return screen.getvalue()


@pytest.mark.parametrize("interval", ["t", "percentile", "bca"])
def test_progress_note_run_and_table_show_the_interval_that_the_file_asks_for(project: Project, interval: str) -> None:
    found = run(project, {**CHANGES, "statistics": {"interval": interval}})
    expected = {phase: mean_interval(values_of(found, phase), method=interval) for phase in ("search", "confirm")}
    ends = {phase: pytest.approx((one.low, one.high)) for phase, one in expected.items() if one is not None}
    one = expected["search"]
    assert one is not None
    said = with_basis(one.estimate, one.low, one.high, level=0.95, method=interval, n=SEEDS)

    assert said in last_line(found)
    frozen = found.trials[BEST]
    assert said in get_note(Trial(found.study, frozen._trial_id))
    summary = frozen.user_attrs[tags.RESULT]["summary"]
    assert (summary["ci_low"], summary["ci_high"]) == ends["search"]
    assert summary["method"] == interval

    [row] = [row for row in found.table("conditions") if row["condition"] == str(BEST)]
    assert (float(row["ci_low"]), float(row["ci_high"])) == ends["search"]
    for role, phase in (("trial", "search"), ("confirmation", "confirm")):
        [of_trial] = [r for r in found.all_runs(role) if r.tags[tags.TRIAL] == str(BEST)]
        logged = {name: found.curve(of_trial, name)[-1] for name in of_trial.metrics}
        assert (logged["objective/ci_low"], logged["objective/ci_high"]) == ends[phase]
        assert (logged["val_loss/ci_low"], logged["val_loss/ci_high"]) == ends[phase]  # its last step


def test_equal_values_have_the_same_interval_wherever_it_is_shown(project: Project) -> None:
    # Without noise of their own all replicates of a condition end in the same value: an interval of no width.
    found = run(project, {**CHANGES, "parameters": {"steps": 20}, "statistics": {"interval": "percentile"}})
    values = values_of(found, "search")
    summary = found.trials[BEST].user_attrs[tags.RESULT]["summary"]
    one = mean_interval(values, method="percentile")
    assert one is not None
    assert (summary["ci_low"], summary["ci_high"]) == pytest.approx((one.low, one.high))
    assert np.isfinite(summary["ci_low"])
