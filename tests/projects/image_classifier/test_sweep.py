"""Sweeps of this study through the engine: one metric stops, keeps and compares; what has no effect is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rothamsted import tags
from rothamsted.analysis.no_effect import twin_marks
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Dataset
from rothamsted.errors import SpecError
from rothamsted.spec import Sweep
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.open.start import open_sweep
from rothamsted.sweeping.opened import Place
from rothamsted.sweeping.worker.work import Worker
from rothamsted.tracking import find_runs, read_history, read_text
from tests.conftest import ROOT
from tests.projects.image_classifier.training import TINY
from tests.sweeping.in_this_process import deciding

SWEEP: dict[str, Any] = {
    "name": "pictures",
    "study": "image_classifier",
    "parameters": {**TINY, "checkpoints": "none"},
    "space": {"schedule.name": ["constant", "step", "plateau"]},
    "objective": {"metric": "val_accuracy", "direction": "maximize", "reduce": "best"},
    "sampler": {"name": "grid"},
    "replicates": {"count": 2},
    "models": "none",
    "execution": {"report": False, "workers": 1, "artifacts": False},
}


class Home:
    """A folder in which a sweep of the project's study runs in this process."""

    def __init__(self, root: Path, uri: str) -> None:
        self.root, self.uri = root, uri

    def load(self, changes: Mapping[str, Any]) -> tuple[Sweep, Any]:
        path = self.root / "sweep.yaml"
        document = {**SWEEP, "storage": f"sqlite:///{self.root / 'optuna.db'}", **changes}
        path.write_text("# Question: which?\n" + yaml.safe_dump(document))
        return load(path, {}, ROOT)

    def run(self, changes: Mapping[str, Any]) -> Dataset:
        place = Place(root=ROOT, tracking_uri=self.uri, outer_run_id=None, source="sweep.yaml")
        sweep, study = self.load(changes)
        with open_sweep(sweep, study, place, say=lambda line: None) as opened:
            Worker(context=opened, emit=lambda event: None, should_stop=lambda: False, on_idle=deciding(opened)).run()
        return read_sweep("pictures", uri=self.uri)

    def configs(self) -> list[dict[str, Any]]:
        runs = find_runs(None, {tags.ROLE: "replicate"}, uri=self.uri)
        return [json.loads(read_text(run.run_id, "config.json", uri=self.uri) or "") for run in runs]


@pytest.fixture
def home(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path, new_mlflow(tmp_path))


def test_the_report_names_a_schedule_that_never_acted(home: Home) -> None:
    fields = {"data.n_train": 200, "model.width": 8, "optimizer.lr": 0.01}
    found = home.run({"parameters": {**SWEEP["parameters"], **fields}})
    # In the second epoch the loss falls by 0.1 and more: a plateau, which could act in the third, is not met.
    assert twin_marks(found) == [
        "Conditions 0 and 2 gave the same bits at every common seed: schedule.name made no difference there."
    ]


def test_a_schedule_that_cannot_act_is_refused_before_anything_starts(home: Home) -> None:
    parameters = {**SWEEP["parameters"], "schedule.step_epochs": 5}
    with pytest.raises(SpecError, match="falls after every 5 epochs, and there are 3: the schedule has no effect"):
        home.load({"parameters": parameters, "space": {"schedule.name": ["step"]}})


def test_what_stops_and_what_is_kept_is_the_objective(home: Home) -> None:
    parameters = {**SWEEP["parameters"], "epochs": 8, "stopping.patience": 2}
    home.run({"parameters": parameters, "space": {"optimizer.lr": [0.02]}})
    assert [config["monitor"] for config in home.configs()] == ["val_accuracy"] * 2
    for run in find_runs(None, {tags.ROLE: "replicate"}, uri=home.uri):
        points = read_history([run.run_id], ["val_accuracy", "best_epoch"], uri=home.uri)[run.run_id]
        curve = [point.value for point in points if point.key == "val_accuracy"]
        best = curve.index(max(curve)) + 1
        assert (run.metrics["best_epoch"], run.metrics["objective"]) == (best, max(curve))
        assert len(curve) == min(8, best + 2)  # by hand: two epochs without a better one


def test_another_monitor_than_the_objective_is_refused_with_the_way_out(home: Home) -> None:
    for changes in (
        {"parameters": {**SWEEP["parameters"], "monitor": "val_loss"}},
        {"space": {"monitor": ["val_loss", "val_accuracy"]}},
    ):
        with pytest.raises(SpecError, match=r"monitor: is the objective's metric val_accuracy .*early_stopping: \{"):
            home.load(changes)
    other = {"metric": "epochs_to_90", "direction": "minimize"}  # no monitor: any may be given
    home.load({"parameters": {**SWEEP["parameters"], "monitor": "val_f1"}, "objective": other})
    home.load({"parameters": {**SWEEP["parameters"], "monitor": "val_accuracy"}})


def test_restlessness_and_speed_are_part_of_a_score(home: Home) -> None:
    expression = "val_accuracy - val_accuracy_sd - 0.01 * epochs_to_90"
    found = home.run({"objective": {"expression": expression, "direction": "maximize"}, **ONE})
    for replicate in found.replicates:
        own = replicate.metrics
        score = own["val_accuracy"] - own["val_accuracy_sd"] - 0.01 * own["epochs_to_90"]
        assert replicate.objective == pytest.approx(score, abs=1e-12)
        assert own["val_accuracy_sd"] >= 0


ONE = {"space": {"schedule.name": ["constant"]}}
