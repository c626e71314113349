"""JSON files that list runs, with their history in them or beside them."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from tests.importing.conftest import Place

HISTORY = [{"step": 0, "loss": 1.0}, {"step": 1, "loss": 0.5}]
FORMS: dict[str, Any] = {
    "a list": [{"id": "a", "config": {"net": {"lr": 0.1}, "seed": 0}, "history": HISTORY}],
    "a mapping": {"a": {"params": {"net.lr": 0.1, "seed": 0}, "history": {"step": [0, 1], "loss": [1.0, 0.5]}}},
    "runs below a key": {
        "name": "x",
        "runs": [{"name": "a", "hyperparameters": {"net": {"lr": 0.1}, "seed": 0}, "metrics": HISTORY}],
    },
    "a file beside it": [{"id": "a", "config": {"net.lr": 0.1, "seed": 0}, "metrics_path": "files/any.csv"}],
    "a folder beside it": [{"id": "a", "net.lr": 0.1, "seed": 0, "folder": "files"}],
}


@pytest.mark.parametrize("form", FORMS)
def test_runs_arrive_from_each_form_of_an_index(form: str, place: Place) -> None:
    (place.folder / "files").mkdir()
    (place.folder / "files" / "any.csv").write_text("step,loss\n0,1\n1,0.5\n")
    (place.folder / "files" / "metrics.csv").write_text("step,loss\n0,1\n1,0.5\n")
    (place.folder / "sweep_registry.json").write_text(json.dumps(FORMS[form]))
    place.bring("sweep_registry.json", "experiment=before")
    run = place.runs("before")["a"]
    assert run.params == {"net.lr": "0.1", "seed": "0"}
    assert place.history(run)["loss"] == [(0, 1.0), (1, 0.5)]


def test_a_flat_run_has_its_measurements_told_from_its_settings_by_their_names(place: Place) -> None:
    entry = {
        "id": "a",
        "lr": 0.1,
        "loss_weight": 2,
        "n_test": 10,
        "val_loss": 0.5,
        "status": "failed",
        "notes": "by hand",
    }
    (place.folder / "r.json").write_text(json.dumps([{**entry, "summary": {"best": {"acc": 0.9}}, "tags": ["old"]}]))
    place.bring("r.json", "experiment=before")
    run = place.runs("before")["a"]
    assert run.params == {"lr": "0.1", "loss_weight": "2", "n_test": "10"}
    assert run.metrics == {"val_loss": 0.5, "best/acc": 0.9}
    assert (run.status, run.tags["old"], run.tags["mlflow.note.content"]) == ("FAILED", "true", "by hand")


@pytest.mark.parametrize("orient", ["records", "columns"])
def test_the_json_that_pandas_writes_is_a_run_a_row(orient: Any, place: Place) -> None:
    pd.DataFrame({"lr": [0.1, 0.1], "seed": [0, 1], "mse": [0.5, 0.25]}).to_json("r.json", orient=orient)
    out = place.bring("r.json", "experiment=before")
    assert {name: run.metrics for name, run in place.runs("before").items()} == {
        "r 0": {"mse": 0.5},
        "r 1": {"mse": 0.25},
    }
    # One condition: its seeds are replicates all the same.
    assert "rothamsted analyze --experiment before --group_by lr --replicate_by seed --metric mse" in out


def test_a_path_that_leads_out_of_the_folder_of_the_index_is_not_read(place: Place) -> None:
    (place.folder / "secret.csv").write_text("step,loss\n0,1\n")
    inside = place.folder / "inside"
    inside.mkdir()
    (inside / "link.csv").symlink_to(place.folder / "secret.csv")
    paths = ["../secret.csv", str(place.folder / "secret.csv"), "link.csv", "gone.csv", "a\0b"]
    (inside / "r.json").write_text(
        json.dumps([{"id": str(n), "lr": 0.1, "history": path} for n, path in enumerate(paths)])
    )
    out = place.bring("inside/r.json", "experiment=before")
    assert all(run.metrics == {} for run in place.runs("before").values())
    assert "lies elsewhere, and only what is beside the index is read" in out
    assert "gone.csv: is not there" in out


def test_links_in_the_folder_of_a_run_lead_nowhere_else(place: Place) -> None:
    (place.folder / "secret").mkdir()
    (place.folder / "secret" / "metrics.csv").write_text("step,loss\n0,1\n")
    folder = place.folder / "inside" / "a"
    folder.mkdir(parents=True)
    (folder / "sub").symlink_to(place.folder / "secret")
    (folder / "history.csv").symlink_to(place.folder / "secret" / "metrics.csv")
    (folder / "progress.csv").write_text("step,acc\n0,0.5\n")
    (place.folder / "inside" / "r.json").write_text('[{"id": "a", "folder": "a"}]')
    place.bring("inside/r.json", "experiment=before")
    assert place.runs("before")["a"].metrics == {"acc": 0.5}


def test_two_runs_of_one_id_are_told_apart_by_their_order_each_time(place: Place) -> None:
    (place.folder / "r.json").write_text(json.dumps([{"id": "a", "loss": 1.0}, {"id": "a", "loss": 2.0}]))
    out = place.bring("r.json", "experiment=before")
    assert "an earlier run of the same identity" in out
    assert {name: run.metrics["loss"] for name, run in place.runs("before").items()} == {"a": 1.0, "a (2)": 2.0}
    assert "2 there already" in place.bring("r.json", "experiment=before")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"id": "a", "hist', "is cut off at line 1"),
        ('[{"id": "a"},,]', "is not JSON at line 1"),
        ('"runs"', "must hold a list of runs"),
        ("[1, 2]", "must hold a list of runs"),
        ("[" * 100_000, "nested too deep"),
        ("[]", "must hold a list of runs"),
    ],
)
def test_what_is_no_index_is_one_line(text: str, said: str, place: Place) -> None:
    (place.folder / "r.json").write_text(text)
    refusal = place.refused("r.json")
    assert "r.json" in refusal
    assert said in refusal


def test_a_registry_of_sweeps_gives_the_runs_of_each(place: Place) -> None:
    sweeps = {
        "a": {"question": "which rate?", "runs": [{"id": 1, "lr": 0.1, "val_loss": 0.5}]},
        "b": {"runs": {"x": {"config": {"lr": 0.2}, "metrics": {"val_loss": [2, 1]}}}},
        "c": {"runs": []},
    }
    (place.folder / "sweep_registry.json").write_text(json.dumps({"version": 1, "sweeps": sweeps}))
    place.bring("sweep_registry.json", "experiment=before")
    runs = place.runs("before")
    assert {name: (run.params, run.metrics) for name, run in runs.items()} == {
        "a/1": ({"lr": "0.1"}, {"val_loss": 0.5}),
        "b/x": ({"lr": "0.2"}, {"val_loss": 1}),
    }


def test_a_measurement_that_is_missing_is_no_setting_and_a_history_of_another_form_is_said(place: Place) -> None:
    entries = [
        {"id": "a", "lr": 0.1, "val_loss": None, "history": [0.5, 0.4]},
        {"id": "b", "lr": 0.2, "val_loss": 0.5, "history": {"train": {"loss": [2, 1]}}},
    ]
    (place.folder / "r.json").write_text(json.dumps(entries))
    out = place.bring("r.json", "experiment=before")
    runs = place.runs("before")
    assert (runs["a"].params, runs["b"].params) == ({"lr": "0.1"}, {"lr": "0.2"})
    assert place.history(runs["b"])["train/loss"] == [(0, 2), (1, 1)]
    assert "history is a list of other things than objects: left out" in out
