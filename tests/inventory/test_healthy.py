"""A sweep that nobody damaged has no finding, of whatever kind it is and however often it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest

from rothamsted.cli.main import main
from tests.inventory.caring import SMALL, doctor, kinds, swept
from tests.inventory.faults_of_rows import DEAD
from tests.sweeping.conftest import Project, home, stop_in_replicate
from tests.sweeping.ending import end_all_leases
from tests.sweeping.in_this_process import in_this_process, use
from tests.sweeping.power_cut import PowerCut, power
from tests.sweeping.staging import interrupting, run
from tests.sweeping.strangers import Home
from tests.sweeping.test_contest import contest
from tests.sweeping.test_taken_over import Died, die_in_replicate

__all__ = ["home"]
KINDS: dict[str, dict[str, Any]] = {
    "a grid": {},
    "TPE, with repeats": {"space": {"lr": [0.05, 0.5, 1.0]}, "sampler": {"name": "tpe"}, "trials": 8},
    "one replicate": {"replicates": {"count": 1}},
    "racing, with a confirmation": {
        "replicates": {"racing": {"min": 2, "max": 4}},
        "parameters": {"steps": 4, "n_points": 2, "own_noise": 0.3},
        "space": {"lr": [0.9, 1.0, 1.1]},
        "confirm": {"keep": 2, "replicates": 2},
    },
    "a population": {"execution": {"population": 3}},
    "pruning": {"pruner": {"name": "median", "startup_trials": 1}, "space": {"lr": [1.0, 0.05, 0.01]}},
    "failures": {"parameters": {"steps": 4, "n_points": 2, "fail_at_seed": 1}, "execution": {"retries": 1}},
    "divergence": {"space": {"lr": [0.5, 3.0]}, "parameters": {"steps": 40, "n_points": 4, "diverge_above": 10.0}},
    "two objectives and a score": {
        "objective": [
            {"metric": "score", "direction": "maximize", "expression": "0 - val_loss"},
            {"metric": "learning_rate", "direction": "minimize"},
        ],
    },
    "crossed seeds": {
        "replicates": {"vary": {"seed": 2, "data.seed": 2}},
        "parameters": {"steps": 4, "n_points": 2, "data.noise": 0.1},
        "confirm": {"keep": 1, "replicates": 2},
    },
    "the worst seeds count": {"objective": {"metric": "val_loss", "direction": "minimize", "over": {"quantile": 0.9}}},
    "best of a curve, stopped early": {
        "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "best"},
        "early_stopping": {"patience": 2},
        "parameters": {"steps": 40, "n_points": 20},
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_undamaged_sweep_has_no_finding(kind: str, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(project, KINDS[kind]) == 0
    status, found = doctor(capsys)
    assert found["findings"] == []
    assert (status, found["looked_over"]) == (0, ["toys"])


def test_stages_have_no_finding_stopped_between_or_finished(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, interrupting("toys.stage2", n_started=2))
    assert run(project).result.exit_status == 130
    assert doctor(capsys)[1]["findings"] == []
    [folder] = (project.root / "checkpoints" / "toys").glob("*/2-1")  # of the second condition of stage 2, seed 1
    folder.rename(folder.parent / "elsewhere")
    status, found = doctor(capsys)
    assert (status, [one["why"] for one in found["findings"]]) == (1, ["the state that the stage before left"])
    (folder.parent / "elsewhere").rename(folder)
    use(monkeypatch, in_this_process)
    run(project)
    status, found = doctor(capsys, "toys")
    assert (status, found["findings"], found["looked_over"]) == (0, [], ["toys", "toys.stage2"])


def test_a_killed_sweep_has_findings_until_its_command_has_run_again(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Died):
        project.work(project.start({"parameters": {"steps": 20, "n_points": 5}}), die_in_replicate(2, 3))
    end_all_leases(project)
    _give_to_another_host(project)
    status, found = doctor(capsys)
    assert (status, set(kinds(found))) == (1, {"stale sweep", "stale trial", "stale run"})
    assert swept(project, {"parameters": {"steps": 20, "n_points": 5}, "space": None} | _SPACE) == 0
    assert doctor(capsys)[1]["findings"] == []


_SPACE: dict[str, Any] = {"space": {"lr": {"low": 0.01, "high": 1.0, "log": True, "points": 3}, "x": [0.0, 0.5]}}


def _give_to_another_host(project: Project) -> None:
    """This test's own process lives, and would be taken for the holder."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(project.root / "optuna.db")) as connection, connection:
        for table, key, field in (
            ("trial_user_attributes", "rothamsted:lease", "worker"),
            ("study_user_attributes", "rothamsted:sweep_lease", "holder"),
        ):
            connection.execute(
                f"UPDATE {table} SET value_json = json_set(value_json, '$.{field}', '{DEAD}') WHERE key = '{key}'"
            )


def test_a_sweep_that_was_stopped_is_mended_and_goes_on_with_the_same_numbers(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with project.start() as opened:
        project.work(opened, should_stop=stop_in_replicate(5, 2))
    found = doctor(capsys)[1]
    assert kinds(found) == ["stale run"]  # the sweep's own, which the command ends, and this test does not
    assert doctor(capsys, "--repair", "--yes")[0] == 0
    assert doctor(capsys)[1]["findings"] == []
    assert main(["sweep", str(project.write()), "execution.executor=in_process"]) == 0
    assert doctor(capsys)[1]["findings"] == []


def test_a_start_that_was_killed_anywhere_is_a_stale_sweep_at_most(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for at in range(40):
        try:
            with power(at):
                project.start({"name": f"toys{at}"}).close()
        except PowerCut:
            continue
        break
    else:
        pytest.fail("a start has more commits than are tried")
    end_all_leases(project)
    _give_to_another_host(project)
    found = doctor(capsys)[1]
    assert (at > 5, len(found["notes"])) == (True, 0)
    assert set(kinds(found)) == {"stale sweep", "stale run"}
    assert doctor(capsys, "--repair", "--yes")[0] == 0
    assert main(["sweep", str(project.write({**SMALL, "name": "toys3"})), "execution.executor=in_process"]) == 0
    assert doctor(capsys)[1]["findings"] == []


def test_a_sweep_that_runs_is_said_and_left_alone(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    with project.start():
        status, found = doctor(capsys, "--repair", "--yes")
    assert (status, found["findings"]) == (0, [])
    assert [line for line in found["notes"] if line.startswith("toys: not checked, because ")]


def test_contests_and_runs_of_others_beside_a_sweep_have_no_finding(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, in_this_process)
    assert swept(project) == 0
    contest(project, name="toys-against-toy-01234567")
    with mlflow.start_run(run_name="by hand"):
        for value in (1.0, 2.0):
            mlflow.log_metric("val_loss", value, step=0)
    status, found = doctor(capsys)
    assert (status, found["findings"]) == (0, [])
    assert found["looked_over"] == ["toys", "toys-against-toy-01234567"]


def test_a_strangers_project_has_no_finding(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.write({"confirm": {"keep": 1, "replicates": 2}})
    assert main(["sweep", str(path), "execution.executor=in_process"]) == 0
    assert doctor(capsys)[1]["findings"] == []


def test_a_sweep_that_has_grown_has_no_finding(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(project, {"replicates": {"count": 1}}) == 0
    assert swept(project, {"replicates": {"count": 3}, "space": {"lr": [0.05, 0.5, 1.0]}}) == 0
    assert (
        swept(
            project,
            {
                "objective": {"metric": "train_loss", "direction": "minimize"},
                "replicates": {"count": 3},
                "space": {"lr": [0.05, 0.5, 1.0]},
            },
        )
        == 0
    )
    assert doctor(capsys)[1]["findings"] == []


def test_an_analysis_at_another_level_is_no_finding(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(project, {"confirm": {"keep": 1, "replicates": 2}}) == 0
    assert main(["analyze", "toys", "level=0.8", "over_seeds=median"]) == 0
    assert doctor(capsys)[1]["findings"] == []


def test_a_sweep_of_another_search_database_is_not_judged(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    assert swept(project, {"storage": elsewhere}) == 0
    status, found = doctor(capsys)
    assert (status, found["findings"]) == (0, [])
    assert [line for line in found["notes"] if "which is not checked; give storage=" in line]
    assert doctor(capsys, f"storage={elsewhere}")[1]["findings"] == []
