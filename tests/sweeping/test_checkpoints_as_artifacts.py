"""Checkpoints among the artifacts of the sweep's run: whoever takes a trial over needs no folder of its last worker."""

from __future__ import annotations

import logging
import shutil
import signal
from collections.abc import Sequence
from typing import Any

import pytest
from mlflow import MlflowClient

from rothamsted import tracking
from rothamsted.errors import SpecError, StoreError
from rothamsted.executors import Job
from rothamsted.spec import resolved
from rothamsted.sweeping.checkpoint_folders import OF_RUN, RunFolder, check_artifacts
from rothamsted.sweeping.coordinator.job import job_of
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.worker.entry import work
from tests.sweeping.conftest import Project
from tests.sweeping.ending import begin, end_all_leases, ending, finish
from tests.sweeping.in_this_process import in_this_process, use
from tests.sweeping.staging import STAGED, curves, interrupting, run, states, sweep_run
from tests.sweeping.test_taken_over import Died, die_in_replicate
from tests.tracking.conftest import server_uri, sqlite_template
from tests.tracking.faulty_proxy import Fault, faulty_proxy

__all__ = ["server_uri", "sqlite_template"]
KEPT: dict[str, Any] = {"checkpoints": "artifacts", "checkpoint_every": 1e-9}
TWO: dict[str, Any] = {"space": {"lr": [0.1]}, "replicates": {"count": 2}}


def kept(project: Project, name: str = "toys") -> list[str]:
    """Paths of the checkpoints of a sweep, below the artifacts of its run."""
    run_id, uri = sweep_run(project, name).run_id, project.tracking_uri
    parts = tracking.list_folders(run_id, OF_RUN, uri=uri)
    return [path for part in parts for path in tracking.list_files(run_id, part, uri=uri)]


def die_midway(project: Project, changes: dict[str, Any]) -> None:
    """A worker dies in its second replicate after some measurements; its leases have run out."""
    with pytest.raises(Died):
        project.work(project.start(changes), die_in_replicate(2, 6))
    end_all_leases(project)


@pytest.mark.parametrize("population", [1, 2])
def test_a_trial_goes_on_with_the_same_bits_where_the_first_nodes_disk_is_lost(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, population: int
) -> None:
    finish(project, {**TWO, "name": "straight"})
    node = tmp_path_factory.mktemp("node")
    trap = {"steps": 20, "n_points": 5, "kill_at_step": 15, "kill_marker": str(node / "killed")}
    changes = {**TWO, "name": "toys", "parameters": trap, "execution": {**KEPT, "population": population}}
    begin(project, changes)
    done = project.cli("worker", "toys", ROTHAMSTED_HOME=str(node))  # by hand, on a node of its own
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not list(node.rglob("*.safetensors"))
    assert kept(project)
    end_all_leases(project)
    monkeypatch.setenv("ROTHAMSTED_HOME", str(tmp_path_factory.mktemp("other")))
    restored: list[int] = []
    monkeypatch.setattr(RunFolder, "read", _counting(RunFolder.read, restored))
    finish(project, changes)
    assert restored  # it went on, and did not start again
    expected, found = ending(project, "straight"), ending(project, "toys")
    assert found["points"] == expected["points"]
    assert kept(project) == []


def test_one_that_is_half_written_is_never_taken(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    finish(project, {**TWO, "name": "straight"})
    die_midway(project, changes := {**TWO, "execution": KEPT})
    here = tracking.folder_here(sweep_run(project, "toys").run_id, uri=project.tracking_uri)
    assert here is not None
    before, newest = (here / path for path in kept(project))  # the last two are kept
    newest.write_bytes(newest.read_bytes()[:-7])
    with caplog.at_level(logging.WARNING):
        finish(project, changes)
    assert f"using the one before it, {before.name}" in caplog.text
    assert ending(project, "toys")["points"] == ending(project, "straight")["points"]
    assert kept(project) == []


def test_a_later_stage_goes_on_from_artifacts_and_those_of_others_are_removed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, in_this_process)
    run(project, {"name": "straight"})
    execution = {**STAGED["execution"], "checkpoints": "artifacts"}
    use(monkeypatch, interrupting("toys.stage2", n_started=2))
    assert run(project, {"execution": execution}).result.exit_status == 130
    assert {path.split("/")[1] for path in kept(project)} == {"2-0", "2-1", "3-0", "3-1"}  # the best two of four
    use(monkeypatch, in_this_process)
    run(project, {"execution": execution})
    assert curves(project, "toys.stage2") == curves(project, "straight.stage2")
    assert (kept(project), kept(project, "toys.stage2"), states(project, "toys")) == ([], [], [])


def test_a_store_that_cannot_be_written_is_one_line_before_any_worker(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, in_this_process)
    sweep, _ = load(project.write({**TWO, "execution": KEPT}), {}, project.root)
    opened = project.start({**TWO, "execution": KEPT})
    here = tracking.folder_here(opened.sweep_run_id, uri=project.tracking_uri)
    assert here is not None
    (here / OF_RUN).write_text("a file in the place of the folder")
    with pytest.raises(StoreError, match=r"execution.checkpoints: artifacts: .*cannot store.*MLflow server") as raised:
        check_artifacts(opened.sweep_run_id, uri=project.tracking_uri)
    assert "\n" not in str(raised.value)
    assert sweep.execution.checkpoints == "artifacts"
    opened.close()


def test_a_worker_that_does_not_see_the_artifacts_says_so_in_one_line(project: Project) -> None:
    begin(project, {**TWO, "execution": KEPT})
    here = tracking.folder_here(sweep_run(project, "toys").run_id, uri=project.tracking_uri)
    assert here is not None
    shutil.move(here, elsewhere := here.with_name("elsewhere"))  # as on another machine
    how: dict[str, Any] = {"emit": lambda event: None, "should_stop": lambda: False}
    with pytest.raises(StoreError, match=rf"lie in {here}, which is not shared with this machine") as raised:
        work(sweep="toys", storage=project.storage, tracking_uri=project.tracking_uri, **how)
    assert "\n" not in str(raised.value)
    shutil.move(elsewhere, here)


def test_what_nodes_share_is_the_folder_of_artifacts_where_it_lies_on_this_machine(project: Project) -> None:
    sweep, study = load(project.write({**TWO, "execution": KEPT}), {}, project.root)
    opened = project.start({**TWO, "execution": KEPT})
    how: dict[str, Any] = {"tracking_uri": project.tracking_uri, "until": None, "uses_gpu": study.uses_gpu}
    here = tracking.folder_here(opened.sweep_run_id, uri=project.tracking_uri)
    assert job_of(sweep, **how).folders == ()
    assert job_of(sweep, **how, run_id=opened.sweep_run_id).folders == (str(here),)
    handed_over = job_of(sweep, **how, run_id=opened.sweep_run_id, function="/home/me/lab/function.pkl")
    assert handed_over.folders == ("/home/me/lab", str(here))
    opened.close()


def test_a_cluster_is_asked_for_the_folder_of_artifacts_once_it_is_known(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []

    class Asking(in_this_process):
        def check(self, job: Job, n_workers: int) -> list[str]:
            asked.append(job.folders)
            return []

    use(monkeypatch, Asking)
    run(project, {"stages": [], "execution": {**STAGED["execution"], **KEPT}})
    here = tracking.folder_here(sweep_run(project, "toys").run_id, uri=project.tracking_uri)
    assert asked == [(), (str(here),)]


def test_the_keys_go_together_or_are_refused_in_one_line(project: Project) -> None:
    sweep, _ = load(project.write(TWO), {}, project.root)
    assert "checkpoints" not in resolved(sweep)["execution"]  # sweeps of before go on
    with pytest.raises(SpecError, match=r"checkpoint_dir.*remove one of the two"):
        load(project.write({"execution": {**KEPT, "checkpoint_dir": "here"}}), {}, project.root)
    with pytest.raises(SpecError, match="checkpoints"):
        load(project.write({"execution": {"checkpoints": "nowhere"}}), {}, project.root)


@pytest.mark.slow  # a server of its own
def test_through_a_server_that_is_away_for_a_while_training_goes_on(
    server_uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rothamsted.sweeping.checkpoint_folders.WAIT_SECONDS", 0.2)
    with faulty_proxy(server_uri) as proxy:
        uri = proxy.uri
        client = MlflowClient(uri)
        run_id = client.create_run(client.create_experiment("checkpoints")).info.run_id
        check_artifacts(run_id, uri=uri)
        folder = RunFolder(run_id=run_id, folder=f"{OF_RUN}/0-0", uri=uri)
        assert folder.write("a", b"first")
        proxy.fault = lambda asked: Fault(status=503)
        with caplog.at_level(logging.WARNING):
            assert not folder.write("b", b"second")
            folder.remove(["a"])
        assert caplog.text.count("training goes on") == 2
        proxy.fault = lambda asked: None
        fresh = RunFolder(run_id=run_id, folder=f"{OF_RUN}/0-0", uri=uri)
        assert (fresh.names(), fresh.read("a")) == (["a"], b"first")
        fresh.clear()
        assert RunFolder(run_id=run_id, folder=f"{OF_RUN}/0-0", uri=uri).names() == []


def _counting(read: Any, counted: list[int]) -> Any:
    def counting(*given: Any) -> bytes:
        counted.append(1)
        return read(*given)

    return counting
