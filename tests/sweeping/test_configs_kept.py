"""config.json of each replicate's run: the config that it was trained with, as a training by hand takes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rothamsted import tags
from rothamsted.studies import CONFIG_FILE, config_text, load_study
from rothamsted.studies.command_line import parse
from rothamsted.tracking import FoundRun, find_runs, read_history, read_text, run_files
from rothamsted.tracking.client_writer import ClientWriter
from tests.conftest import ROOT
from tests.sweeping.conftest import Project
from tests.sweeping.strangers import Home

SHIPPED = ("batch_size", "emnist_mlp", "global_workspace", "image_classifier", "language_model")
FUNCTION = """
from rothamsted import study

@study
def shift(seed: int, lr: float = 0.1, depth: int = 3, name: str | None = None):
    for epoch in range(depth):
        yield {"loss": lr + seed / 1000 + epoch}

shift.main()
"""


def config_of(run: FoundRun, uri: str) -> dict[str, object]:
    return json.loads(read_text(run.run_id, CONFIG_FILE, uri=uri) or "")


def replicates(project: Project) -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri)


def trained_by_hand(project: Project, path: Path, *words: str) -> FoundRun:
    command = [sys.executable, "-m", "projects.toy", "--config", str(path), *words]
    done = subprocess.run(command, cwd=project.root, env=project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return find_runs(None, {tags.STUDY: "toy"}, uri=project.tracking_uri)[-1]


def test_a_replicate_is_trained_again_by_hand_from_its_artifact(project: Project, tmp_path: Path) -> None:
    with project.start() as opened:
        project.work(opened)
    run = next(one for one in replicates(project) if one.params["x"] == "0.5" and one.tags[tags.SEED] == "2")
    path = tmp_path / "again.json"
    path.write_text(read_text(run.run_id, CONFIG_FILE, uri=project.tracking_uri) or "")
    again = trained_by_hand(project, path)
    ours, theirs = (
        [point.value for point in read_history([one], ["val_loss"], uri=project.tracking_uri)[one]]
        for one in (run.run_id, again.run_id)
    )
    assert ours
    assert ours == theirs
    longer = trained_by_hand(project, path, "--steps", "25")
    assert (longer.params["steps"], longer.params["seed"], longer.params["x"]) == ("25", "2", "0.5")


def test_every_replicate_has_its_config_where_mlflows_client_writes(project: Project) -> None:
    with project.start() as opened:
        opened.recorder._writer = ClientWriter(project.tracking_uri)
        project.work(opened)
    found = replicates(project)
    assert len(found) == 18
    for run in found:
        config = config_of(run, project.tracking_uri)
        assert {"steps": config["steps"], "seed": str(config["seed"])} == {"steps": 20, "seed": run.tags[tags.SEED]}
        assert str(config["lr"]) == run.params["lr"]


def test_a_config_costs_no_write_to_the_store_of_its_own(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with project.start() as opened:
        writer = opened.recorder._writer
        before = writer.artifact_uri
        monkeypatch.setattr(writer, "_scalar", lambda query: asked.append(str(query)))
        assert before(
            opened.recorder.open_run(experiment_id=opened.experiment_id, name="one", tags={}, params={}, start_ms=0)
        )
    assert asked == []


def test_a_config_that_cannot_be_stored_waits_for_the_next_flush(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with project.start() as opened:
        recorder = opened.recorder
        of_run = {"experiment_id": opened.experiment_id, "tags": {}, "params": {}, "start_ms": 0}
        run_ids = [recorder.open_run(name=f"run {n}", **of_run) for n in range(2)]
        for run_id in run_ids:
            recorder.add_text(run_id, run_id, CONFIG_FILE)
        with monkeypatch.context() as full:

            def no_space(path: Path, text: str) -> None:
                raise OSError(28, "No space left on device")

            full.setattr(run_files, "_write", no_space)
            with pytest.raises(Exception, match=r"cannot store artifact 'config.json': .*No space left"):
                recorder.flush()
        recorder.flush()
        assert [read_text(run_id, CONFIG_FILE, uri=project.tracking_uri) for run_id in run_ids] == run_ids


@pytest.mark.parametrize("name", SHIPPED)
def test_each_study_takes_its_own_config_back(name: str, tmp_path: Path) -> None:
    study = load_study(f"python -m projects.{name}", ROOT)
    path = tmp_path / CONFIG_FILE
    for config in (parse(study, [])[0], parse(study, ["--seed", "7"])[0]):
        path.write_text(config_text(config))
        assert parse(study, ["--config", str(path)])[0] == config


def test_a_function_keeps_its_parameters(project: Project, tmp_path: Path) -> None:
    (project.root / "shift.py").write_text(FUNCTION)
    words = ["sweep", "shift.py:shift", "space.lr=[0.5]", "metric=loss", "direction=minimize", "replicates=2"]
    assert project.here(*words, "execution.report=false") == 0
    configs = [config_of(run, project.tracking_uri) for run in replicates(project)]
    assert sorted(configs, key=lambda one: str(one["seed"])) == [
        {"seed": seed, "lr": 0.5, "depth": 3, "name": None} for seed in (0, 1)
    ]


def test_a_foreign_project_keeps_its_parameters(home: Home) -> None:
    home.run({"space": {"lr": [0.25]}, "parameters": {}})
    assert [config_of(run, home.uri) for run in home.runs()] == [{"lr": 0.25, "seed": 0}, {"lr": 0.25, "seed": 1}]
