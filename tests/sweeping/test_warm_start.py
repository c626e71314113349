"""A sweep whose sampler knows an earlier one: it proposes as Optuna does that knows the same trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest

from rothamsted.errors import UserError
from rothamsted.search import Told, find_search
from rothamsted.tracking import find_runs
from tests.search.test_sampler_contract import plain_optuna
from tests.sweeping.conftest import Project
from tests.sweeping.search_run import Ran, run

SPACE = {"lr": {"low": 0.01, "high": 1.5}, "x": {"low": -1.0, "high": 0.5}}
EARLIER: dict[str, Any] = {
    "name": "earlier",
    "space": SPACE,
    "parameters": {"steps": 5, "n_points": 1},
    "sampler": {"name": "random", "seed": 1},
    "trials": 12,
    "replicates": {"count": 1},
    "execution": {"workers": 1},
}
LATER = {**EARLIER, "name": "later", "sampler": {"name": "tpe", "seed": 5}, "trials": 4}
WARM = {**LATER, "name": "warm", "warm_start": {"sweep": "earlier"}}


def proposals(ran: Ran) -> list[dict[str, float]]:
    return [dict(condition.values) for condition in ran.conditions]


def told_of(condition: Mapping[str, Any]) -> Told:
    """The toy's closed form at seed 0, after five steps."""
    noise = np.random.default_rng(0).normal(0.0, 0.01, 5)[-1]
    return Told(value=0.5 * ((condition["x"] - 1) * (1 - condition["lr"]) ** 5) ** 2 + noise)


def test_it_proposes_what_optuna_proposes_that_knows_the_same_trials(project: Project) -> None:
    # Authority: Optuna's TPE in memory with the earlier trials by add_trial, told the toy's closed form.
    earlier = run(project, EARLIER)
    warm = run(project, WARM)
    space = warm.context.sweep.search_space
    expected = list(plain_optuna("tpe", space, 4, told_of, seed=5, known=earlier.trials))
    for mine, theirs in zip(proposals(warm), expected, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-12)
    assert proposals(warm) != proposals(run(project, LATER))
    assert [trial.number for trial in warm.trials] == [0, 1, 2, 3]  # what is known is no trial of this sweep


def test_a_warm_sweep_that_is_resumed_proposes_as_one_that_never_stopped(project: Project) -> None:
    run(project, EARLIER)
    straight = run(project, {**WARM, "name": "straight"})
    run(project, {**WARM, "name": "stopped", "trials": 2})
    optuna.delete_study(study_name="earlier", storage=project.storage)  # it knows by itself what it needs
    stopped = run(project, {**WARM, "name": "stopped", "trials": 4})
    assert proposals(stopped) == proposals(straight)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such sweep": ({"warm_start": {"sweep": "nonesuch"}}, "there is no sweep called 'nonesuch'"),
    "a storage that is missing": (
        {"warm_start": {"sweep": "earlier", "storage": "sqlite:///nowhere.db"}},
        "nowhere.db; name one that was run there",
    ),
    "another objective": (
        {"objective": {"metric": "train_loss", "direction": "minimize"}},
        "sweep 'earlier' has another objective (minimize val_loss)",
    ),
    "several objectives": (
        {"objective": [{"metric": m, "direction": "minimize"} for m in ("val_loss", "train_loss")]},
        "sweep 'earlier' has another objective (minimize val_loss)",
    ),
    "another space": (
        {"space": {"optimizer.momentum": {"low": 0.0, "high": 0.5}}},
        "none of the 12 conditions of sweep 'earlier' lies in this sweep's space",
    ),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_a_warm_start_that_cannot_be_is_one_line_and_nothing_is_created(project: Project, what: str) -> None:
    run(project, EARLIER)
    changes, expected = REFUSED[what]
    n_runs = len(find_runs(None, {}, uri=project.tracking_uri))
    with pytest.raises(UserError) as caught:
        project.start({**WARM, **changes})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert find_search(project.storage, "warm") is None
    assert len(find_runs(None, {}, uri=project.tracking_uri)) == n_runs
    assert not (project.root / "nowhere.db").exists()


def test_a_sweep_without_a_score_warms_nothing(project: Project) -> None:
    run(project, {**EARLIER, "parameters": {"steps": 5, "n_points": 1, "fail": True}, "trials": 2})
    with pytest.raises(UserError, match="has no condition with a score yet; run it first"):
        project.start(WARM)
