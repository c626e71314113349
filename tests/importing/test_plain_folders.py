"""Folders of config and metrics, as scripts write them, become runs; each fault is one line or a note."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from tests.importing.conftest import Place


def folder(root: Path, name: str = "a", *, config: object = None, csv: str = "step,loss\n0,0.5\n1,0.25\n") -> Path:
    made = root / name
    made.mkdir(parents=True)
    (made / "config.json").write_text(json.dumps({"lr": 0.1, "seed": 0} if config is None else config))
    (made / "metrics.csv").write_text(csv)
    return made


def test_one_folder_is_one_run_at_any_depth_with_its_config_among_the_artifacts(place: Place) -> None:
    from rothamsted.tracking import read_text

    folder(place.folder / "runs", "x/a", config={"net": {"width": 8, "layers": [1, 2]}, "seed": None})
    folder(place.folder / "runs", "y")
    place.bring("runs", "experiment=before")
    runs = place.runs("before")
    assert sorted(runs) == ["x/a", "y"]
    assert runs["x/a"].params == {"net.width": "8", "net.layers": "[1, 2]", "seed": "None"}
    assert place.history(runs["y"])["loss"] == [(0, 0.5), (1, 0.25)]
    assert read_text(runs["y"].run_id, "files/config.json", uri=place.uri) == '{"lr": 0.1, "seed": 0}'


@pytest.mark.parametrize("kind", ["comma", "semicolon", "tab", "excel", "index"])
def test_csv_is_read_as_pandas_and_spreadsheets_write_it(kind: str, place: Place) -> None:
    frame = pd.DataFrame({"step": [0, 1, 2], "loss": [0.5, float("nan"), 0.125], "note": ["a", "b", "c, d"]})
    made = folder(place.folder / "runs")
    path = made / "metrics.csv"
    separators = {"comma": ",", "semicolon": ";", "tab": "\t", "excel": ";", "index": ","}
    frame.to_csv(path, sep=separators[kind], index=kind == "index")
    if kind == "excel":  # a byte order mark, its own first line, and the line ends of Windows
        path.write_bytes(b"\xef\xbb\xbfsep=;\r\n" + path.read_bytes().replace(b"\n", b"\r\n"))
    place.bring("runs", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run) == {"loss": [(0, 0.5), (2, 0.125)]}  # pandas leaves a missing value empty


def test_json_lines_with_nested_results_and_times_arrive(place: Place) -> None:
    from rothamsted.tracking import read_history

    made = folder(place.folder / "runs")
    (made / "metrics.csv").unlink()
    rows = [
        {"step": n, "timestamp": 1_700_000_000 + n, "train": {"loss": 1 / (n + 1)}, "done": False} for n in range(2)
    ]
    (made / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    place.bring("runs", "experiment=before")
    [run] = place.runs("before").values()
    points = read_history([run.run_id], uri=place.uri)[run.run_id]
    assert [(one.key, one.step, one.value, one.timestamp_ms) for one in points] == [
        ("train/loss", 0, 1.0, 1_700_000_000_000),
        ("train/loss", 1, 0.5, 1_700_000_001_000),
    ]


def test_nan_and_infinity_stay_what_they_are(place: Place) -> None:
    folder(place.folder / "runs", csv="step,loss,top\n0,nan,1\n1,inf,2\n2,-Infinity,3\n")
    place.bring("runs", "experiment=before")
    [run] = place.runs("before").values()
    values = [value for _, value in place.history(run)["loss"]]
    assert values[0] != values[0]
    assert values[1:] == [float("inf"), float("-inf")]


def test_a_line_that_a_killed_process_left_is_a_note_and_the_rest_is_taken(place: Place) -> None:
    folder(place.folder / "runs", csv="step,loss,acc\n0,0.5,0.1\n1,0.25\n")
    made = folder(place.folder / "runs", "b")
    (made / "metrics.csv").unlink()
    (made / "log.jsonl").write_text('{"step": 0, "loss": 0.5}\n{"step": 1, "lo')
    out = place.bring("runs", "experiment=before")
    runs = place.runs("before")
    assert place.history(runs["a"])["loss"] == place.history(runs["b"])["loss"] == [(0, 0.5)]
    assert "metrics.csv: its last line is cut off" in out
    assert "log.jsonl: its last line is cut off" in out


FAULTS = {
    "decimal commas": ("step;loss\n0;0,5\n", "column 'loss' has decimal commas (0,5); save it with points"),
    "two columns of one name": ("step,loss,loss\n0,1,2\n", "has two columns called 'loss'"),
    "a row too long": ("step,loss\n0,1,2\n1,2,3\n", "line 2 has 3 cells, and there are 2 columns"),
    "a short row in the middle": ("step,loss\n0\n1,2\n", "line 2 has 1 cells, and there are 2 columns"),
    "nothing": ("", "is empty"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_history_is_a_note_with_the_name_of_its_file(fault: str, place: Place) -> None:
    text, said = FAULTS[fault]
    folder(place.folder / "runs", csv=text)
    out = place.bring("runs", "experiment=before")
    assert said in out
    assert "metrics.csv is read up to its fault" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("loss,größe\n0,1\n".encode("latin-1"), "is not UTF-8 text"),
        ("step,loss\n0,1\n".encode("utf-16"), "is UTF-16; save it as CSV in UTF-8"),
        (b"PK\x03\x04" + b"x" * 50, "is an Excel workbook; save it as CSV in UTF-8"),
    ],
)
def test_bytes_of_another_kind_are_a_note_that_says_of_which(content: bytes, said: str, place: Place) -> None:
    made = folder(place.folder / "runs")
    (made / "metrics.csv").write_bytes(content)
    assert said in place.bring("runs", "experiment=before")


def test_a_cell_that_is_no_number_among_numbers_is_counted(place: Place) -> None:
    folder(place.folder / "runs", csv="step,loss,host\n0,1,a\n1,\x00,b\n2,1_000,c\n")
    out = place.bring("runs", "experiment=before")
    assert place.history(place.runs("before")["a"]) == {"loss": [(0, 1.0)]}
    assert "2 values of loss are not numbers and are left out" in out
    assert "no numbers, so no metrics: host" in out


def test_links_in_circles_are_followed_once_and_a_pipe_is_no_history(place: Place) -> None:
    made = folder(place.folder / "runs")
    (made / "again").symlink_to(place.folder / "runs")
    (made / "itself").symlink_to(made / "itself")
    os.mkfifo(made / "val.jsonl")
    out = place.bring("runs", "experiment=before")
    assert list(place.runs("before")) == ["a"]
    assert "val.jsonl: must be a file, and is a pipe" in out


def test_what_is_too_large_is_refused_before_it_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from rothamsted.importing import folders, rows, table

    folder(place.folder / "runs")
    monkeypatch.setattr(rows, "MOST_OF_HISTORY", 10)
    monkeypatch.setattr(folders, "MOST_OF_CONFIG", 10)
    out = place.bring("runs", "dry_run=true")
    assert "metrics.csv: has more than 10 bytes; split it" in out
    assert "config.json: has more than 10 bytes" in out
    monkeypatch.setattr(table, "MOST_OF_TABLE", 10)
    assert "has more than 10 bytes, and a table is read whole" in place.refused("runs/a/metrics.csv")
    monkeypatch.setattr(folders, "MOST_LOOKED_AT", 2)
    assert "holds more than 2 files and folders" in place.refused("runs")


def test_a_config_that_is_cut_off_is_a_note_and_the_run_comes_without_it(place: Place) -> None:
    made = folder(place.folder / "runs")
    (made / "config.json").write_text('{"lr": 0.1, ')
    out = place.bring("runs", "experiment=before")
    assert place.runs("before")["a"].params == {}
    assert "config.json is left out" in out


def test_a_config_with_python_objects_is_never_built(place: Place) -> None:
    made = folder(place.folder / "runs")
    (made / "config.json").unlink()
    (made / "config.yaml").write_text("a: !!python/object/apply:os.system ['touch built']\n")
    out = place.bring("runs", "experiment=before")
    assert "config.yaml is left out" in out
    assert not (place.folder / "built").exists()


def test_where_nothing_is_found_the_line_says_what_was_looked_for(place: Place) -> None:
    (place.folder / "empty").mkdir()
    said = place.refused("empty")
    assert "no run found; looked for" in said
    assert ".hydra/config.yaml" in said
    assert "there is no such file or folder" in place.refused("nothing")


@pytest.mark.parametrize(
    ("history", "arrive"),
    [
        ({"loss": [3, 2, 1], "val_loss": [4]}, {"loss": [(0, 3), (1, 2), (2, 1)], "val_loss": [(0, 4)]}),
        ({"history": {"loss": [3, 2]}, "epoch": [0, 1], "params": {"epochs": 2}}, {"loss": [(0, 3), (1, 2)]}),
        (
            {"train": {"loss": [3, 2]}, "val": {"loss": [4, 5]}},
            {"train/loss": [(0, 3), (1, 2)], "val/loss": [(0, 4), (1, 5)]},
        ),
        ({"loss": [3, 2], "best_acc": 0.5}, {"loss": [(0, 3), (1, 2)], "best_acc": [(1, 0.5)]}),
    ],
    ids=["lists of two lengths", "as Keras keeps it", "nested lists", "a number beside lists"],
)
def test_the_lists_of_a_json_history_arrive_whole(
    history: object, arrive: dict[str, list[tuple[int, float]]], place: Place
) -> None:
    made = folder(place.folder / "runs")
    (made / "metrics.csv").unlink()
    (made / "history.json").write_text(json.dumps(history))
    place.bring("runs", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run) == arrive


def test_a_first_line_without_a_step_takes_the_steps_from_no_other(place: Place) -> None:
    made = folder(place.folder / "runs")
    (made / "metrics.csv").unlink()
    rows = [{"event": "start"}, {"step": 100, "loss": 1}, {"step": 200, "loss": 0.5, "per_class": [1, 2]}]
    (made / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = place.bring("runs", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run) == {"loss": [(100, 1), (200, 0.5)]}
    assert "no numbers, so no metrics: event, per_class" in out
    assert "left out" not in out


def test_epochs_with_fractions_are_no_steps_and_lose_no_row(place: Place) -> None:
    folder(place.folder / "runs", csv="epoch,loss\n0,3\n0.25,2\n0.5,1\n")
    place.bring("runs", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run) == {"loss": [(0, 3), (1, 2), (2, 1)], "epoch": [(0, 0), (1, 0.25), (2, 0.5)]}


@pytest.mark.parametrize("stem", ["config", "params", "hparams", "args"])
@pytest.mark.parametrize("end", [".json", ".yaml", ".yml"])
def test_each_usual_name_of_a_configuration_is_read(stem: str, end: str, place: Place) -> None:
    made = folder(place.folder / "runs")
    (made / "config.json").rename(made / f"{stem}{end}")
    place.bring("runs", "experiment=before")
    [run] = place.runs("before").values()
    assert run.params == {"lr": "0.1", "seed": "0"}
