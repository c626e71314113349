"""Artifacts of measurements in a sweep: in the runs of the replicates, once each, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.errors import SpecError, StoreError
from rothamsted.search import find_search
from rothamsted.studies import CONFIG_FILE
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import FoundRun, find_runs
from tests.sketch import picture
from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.sketch_project import SWEEP, add_sketch_study

OF_TWO_STEPS = {"samples/step_000001.txt", "samples/step_000002.txt", "pictures/last.png"}


@pytest.fixture
def sketches(project: Project) -> Project:
    """A project with the study of sketches."""
    add_sketch_study(project)
    return project


def replicates(project: Project) -> list[FoundRun]:
    return [run for run in find_runs(None, {}, uri=project.tracking_uri) if tags.REPLICATE in run.tags]


def folder(project: Project, run: FoundRun) -> Path:
    return project.root / "mlruns" / run.experiment_id / run.run_id / "artifacts"


def files(project: Project, run: FoundRun) -> set[str]:
    """Its artifacts, beside the config and the origin that every replicate keeps."""
    at = folder(project, run)
    return {str(path.relative_to(at)) for path in at.rglob("*") if path.is_file()} - {CONFIG_FILE, tags.ORIGIN_FILE}


@pytest.mark.parametrize("population", [1, 4])
def test_each_replicate_has_its_own_artifacts(sketches: Project, population: int) -> None:
    sketches.work(sketches.start({**SWEEP, "execution": {"population": population}}))
    runs = replicates(sketches)
    assert [files(sketches, run) for run in runs] == [OF_TWO_STEPS] * 4
    for run in runs:
        assert (folder(sketches, run) / "pictures/last.png").read_bytes() == picture(int(run.tags[tags.SEED]), 2)


def test_a_lone_replicate_keeps_them_in_the_run_of_its_trial(sketches: Project) -> None:
    sketches.work(sketches.start({**SWEEP, "replicates": {"count": 1}}))
    runs = find_runs(None, {tags.ROLE: "trial"}, uri=sketches.tracking_uri)
    assert [files(sketches, run) for run in runs] == [OF_TWO_STEPS] * 2


def test_artifacts_false_keeps_none_and_does_not_ask_for_them(sketches: Project) -> None:
    changes = {**SWEEP, "parameters": {"steps": 2, "breaks": "raises"}, "execution": {"artifacts": False}}
    sketches.work(sketches.start(changes))
    runs = replicates(sketches)
    assert [(run.status, files(sketches, run)) for run in runs] == [("FINISHED", set())] * 4


def test_a_sweep_can_go_on_with_or_without_artifacts(sketches: Project) -> None:
    sketches.start(SWEEP)
    context = sketches.start({**SWEEP, "execution": {"artifacts": False}})
    assert context.sweep.execution.artifacts is False


def test_a_resumed_replicate_has_each_artifact_once(sketches: Project) -> None:
    slow: dict[str, Any] = {**SWEEP, "parameters": {"steps": 4}, "execution": {"checkpoint_every": 1e-9}}
    sketches.work(sketches.start(slow), stop_in_replicate(1, 4))  # stopped after its second measurement or so
    [interrupted] = replicates(sketches)
    n_there = len(files(sketches, interrupted))
    assert 1 < n_there < 5
    sketches.work(sketches.start(slow))
    runs = replicates(sketches)
    assert len(runs) == 4
    assert all(len(files(sketches, run)) == 5 for run in runs)  # four samples and a picture
    assert interrupted.run_id in {run.run_id for run in runs}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"path": "../../escaped.txt"}, "StudyError: measurement at step 1: artifacts: '../../escaped.txt' must be a"),
        ({"path": "a", "breaks": "content"}, "artifacts: 'a' must hold text or bytes, not int"),
        ({"path": "samples"}, "StudyError: artifact 'samples' cannot be written in"),
        ({"breaks": "user"}, "no sample today"),
    ],
)
def test_a_replicate_whose_artifacts_break_a_rule_has_failed_with_the_reason(
    sketches: Project, parameters: dict[str, str], reason: str
) -> None:
    changes = {**SWEEP, "parameters": parameters, "space": {"lr": [0.5]}, "replicates": {"count": 1}}
    sketches.work(sketches.start(changes))
    [run] = replicates(sketches)
    assert run.status == "FAILED"
    assert reason in run.tags[tags.REASON]
    assert not list(sketches.root.rglob("escaped.txt"))


def test_a_replicate_whose_artifacts_the_store_refuses_has_failed_with_the_reason(
    sketches: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rothamsted.tracking import recorder as recorders

    def full(*given: Any) -> None:
        raise StoreError("run 1: cannot store artifact 'a': No space left on device")

    context = sketches.start(SWEEP)
    monkeypatch.setattr(recorders, "put_file", full)
    sketches.work(context)
    reasons = {run.tags[tags.REASON] for run in replicates(sketches)}
    assert reasons == {"StoreError: run 1: cannot store artifact 'a': No space left on device"}


def test_a_foreign_project_has_no_such_key(sketches: Project) -> None:
    foreign = {**SWEEP, "study": None, "project": ".", "entry_point": "sketch", "execution": {"artifacts": True}}
    with pytest.raises(SpecError, match=r"execution\.artifacts: is only for study"):
        load(sketches.write(foreign), {}, sketches.root)


def test_a_recorded_sweep_says_nothing_of_artifacts_unless_its_file_does(sketches: Project) -> None:
    sketches.start(SWEEP)
    record = find_search(sketches.storage, "sketches")
    assert record is not None
    assert "artifacts" not in record.spec["execution"]


# ---- TensorBoard ----


def test_a_sweep_is_mirrored_with_a_folder_a_replicate(sketches: Project) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    how = {"tensorboard": True, "population": 2, "checkpoint_every": 1e-9}
    changes: dict[str, Any] = {**SWEEP, "parameters": {"steps": 4}, "execution": how}
    sketches.work(sketches.start(changes), stop_in_replicate(1, 4))  # interrupted, and taken up again
    sketches.work(sketches.start(changes))
    folders = sorted((sketches.root / "tensorboard" / "sketches").iterdir())
    assert [path.name.rpartition(" ")[0] for path in folders] == [
        f"trial {trial} replicate {replicate}" for trial in (0, 1) for replicate in (0, 1)
    ]
    for path in folders:
        events = EventAccumulator(str(path), purge_orphaned_data=False)
        events.Reload()
        lr = {"0": 0.25, "1": 0.5}[path.name.split()[1]]
        # By hand: (1 - lr)^t / 4, a width of 4 being the default; TensorBoard keeps 32 bits.
        assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [
            (step, pytest.approx((1 - lr) ** step / 4, rel=1e-6)) for step in (1, 2, 3, 4)
        ]
        assert len(events.Images("pictures/last.png")) == 4
