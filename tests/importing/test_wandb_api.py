"""A project of W&B, read from a server that speaks as its own does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.importing.conftest import Place
from tests.wandb_server import KEY, Run, WandbServer, serve

STARTED = 1_793_527_200.0  # `date -u -d 2026-11-01T10:00Z +%s`
LOSSES = [round(1 / (step + 1), 6) for step in range(5)]


def rows(every: int = 1, n: int = 5) -> list[dict[str, Any]]:
    return [
        {"_step": every * k, "_timestamp": STARTED + k, "_runtime": float(k), "val/loss": round(1 / (k + 1), 6)}
        for k in range(n)
    ]


def some_runs() -> dict[str, Run]:
    found = [
        Run(
            name=f"id{number}",
            displayName=f"lr {lr}, seed {seed}",
            group="first",
            jobType="train",
            config={"optimizer": {"lr": lr}, "seed": seed, "_wandb": {"t": 1}},
            summary={"val/loss": 0.2 + lr / 10 + seed / 1000, "best": {"acc": 0.5}, "_step": 4, "note": "fine"},
            tags=["a", "b"],
            notes="# What\nit was",
            rows=rows(),
        )
        for number, (lr, seed) in enumerate((lr, seed) for lr in (0.1, 0.2) for seed in (0, 1))
    ]
    found.append(Run(name="id9", displayName="other", group="second", state="crashed"))
    return {run.name: run for run in found}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    with serve(WandbServer(runs=some_runs())) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
        yield server


def test_config_history_summary_tags_times_and_state_arrive(place: Place, server: WandbServer) -> None:
    place.bring("source=wandb://lab/digits", "group=first", "experiment=before")
    runs = place.runs("before")
    assert sorted(runs) == ["lr 0.1, seed 0", "lr 0.1, seed 1", "lr 0.2, seed 0", "lr 0.2, seed 1"]
    run = runs["lr 0.2, seed 1"]
    assert run.params == {"optimizer.lr": "0.2", "seed": "1"}
    history = place.history(run)
    assert history["val/loss"] == list(enumerate(LOSSES))
    assert history["best.acc"] == [(4, 0.5)]
    assert history["summary/val/loss"] == [(4, 0.2 + 0.2 / 10 + 1 / 1000)]  # the summary says other than the last row
    assert run.status == "FINISHED"
    assert (run.start_ms, run.end_ms) == (1000 * STARTED, 1000 * STARTED + 300_000)  # five minutes
    expected = {"wandb.group": "first", "wandb.job_type": "train", "wandb.tags": '["a", "b"]', "wandb.user": "ada"}
    assert expected.items() <= run.tags.items()
    assert run.tags["wandb.summary.note"] == "fine"
    assert run.tags["mlflow.note.content"] == "# What\nit was"


def test_pages_are_turned_and_a_busy_server_is_asked_again(place: Place, server: WandbServer) -> None:
    server.busy = [429, 503]
    out = place.bring("source=wandb://lab/digits", "experiment=before")
    assert "5 runs" in out
    assert server.count("Runs") == 3  # of two runs each
    assert server.busy == []


def test_a_run_without_a_history_is_taken_and_said(place: Place, server: WandbServer) -> None:
    out = place.bring("source=wandb://lab/digits", "group=second", "experiment=before")
    [run] = place.runs("before").values()
    assert (run.name, run.status, run.metrics) == ("other", "FAILED", {})
    assert "it has no history" in out


@pytest.mark.parametrize(("every", "n"), [(1, 2500), (1000, 1200), (10**6, 1200), (7, 1)])
def test_every_row_of_a_long_history_is_there(place: Place, server: WandbServer, every: int, n: int) -> None:
    server.runs = {"long": Run(name="long", displayName="long", rows=rows(every, n))}
    place.bring("source=wandb://lab/digits", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run)["val/loss"] == [(every * k, round(1 / (k + 1), 6)) for k in range(n)]
    assert server.count("HistoryPage") <= 4  # not one a thousand steps


def test_rows_that_the_server_keeps_back_are_said(place: Place, server: WandbServer) -> None:
    server.runs = {"long": Run(name="long", displayName="long", rows=rows(1, 30))}
    server.most_samples = 10
    out = place.bring("source=wandb://lab/digits", "experiment=before")
    assert "the server gave 10 of the 30 rows that its history has" in out


def test_nan_and_infinity_stay_what_they_are(place: Place, server: WandbServer) -> None:
    server.runs = {
        "odd": Run(
            name="odd",
            displayName="odd",
            rows=[
                {"_step": 0, "_timestamp": 1.79e9, "loss": float("nan"), "up": "Infinity"},
                {"_step": 1, "_timestamp": 1.79e9, "loss": 1.0, "down": float("-inf"), "text": "a", "is": True},
            ],
        )
    }
    place.bring("source=wandb://lab/digits", "experiment=before")
    [run] = place.runs("before").values()
    history = place.history(run)
    assert str(history["loss"]) == "[(0, nan), (1, 1.0)]"
    assert (history["up"], history["down"]) == ([(0, float("inf"))], [(1, float("-inf"))])
    assert set(history) == {"loss", "up", "down"}


def test_imported_again_nothing_is_asked_or_written_twice(place: Place, server: WandbServer) -> None:
    place.bring("source=wandb://lab/digits", "experiment=before")
    n_asked = server.count("HistoryPage")
    out = place.bring("source=wandb://lab/digits", "experiment=before")
    assert "0 new, 0 brought up to date, 5 there already" in out
    assert server.count("HistoryPage") == n_asked


def test_a_run_that_goes_on_is_brought_up_to_date(place: Place, server: WandbServer) -> None:
    run = server.runs["id0"]
    run.state, run.rows = "running", rows(1, 2)
    place.bring("source=wandb://lab/digits", "group=first", "experiment=before")
    assert place.runs("before")["lr 0.1, seed 0"].status == "RUNNING"
    run.state, run.rows = "finished", rows()
    out = place.bring("source=wandb://lab/digits", "group=first", "experiment=before")
    assert "1 brought up to date, 3 there already" in out
    found = place.runs("before")["lr 0.1, seed 0"]
    assert (found.status, place.history(found)["val/loss"]) == ("FINISHED", list(enumerate(LOSSES)))


def test_one_run_is_taken_by_its_id(place: Place, server: WandbServer) -> None:
    place.bring("source=wandb://lab/digits/id2", "experiment=before")
    assert list(place.runs("before")) == ["lr 0.2, seed 0"]


def test_the_line_that_is_proposed_analyses_them(place: Place, server: WandbServer) -> None:
    from rothamsted.cli.main import main

    out = place.bring("source=wandb://lab/digits", "group=first", "experiment=before")
    [line] = [line for line in out.splitlines() if line.startswith("analyse them: ")]
    words = line.removeprefix("analyse them: rothamsted ").split()
    assert words[words.index("--group_by") + 1] == "optimizer.lr"
    assert words[words.index("--replicate_by") + 1] == "seed"
    assert main([*words, "--direction", "minimize"]) == 0
    assert "2 conditions" in place.capsys.readouterr().out


def test_its_own_client_reads_the_same_from_the_same_server(server: WandbServer, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    from rothamsted.importing.wandb.api import read

    code = """
import json, sys, wandb
runs = wandb.Api(timeout=60).runs("lab/digits", filters={"group": "first"})
rows = lambda run: [[row["_step"], row["val/loss"]] for row in run.scan_history()]
found = {run.id: [run.config, rows(run), run.state] for run in runs}
wandb.teardown()
print(json.dumps(found))
"""
    kept = {"WANDB_CACHE_DIR": str(tmp_path / "cache"), "WANDB_ERROR_REPORTING": "false"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **kept}, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    ours = {run.tags["wandb.id"]: run for run in read("wandb://lab/digits", {"group": "first"})}
    assert set(ours) == set(theirs)
    for run_id, (config, history, state) in theirs.items():
        run = ours[run_id]
        assert run.params == {"optimizer.lr": str(config["optimizer"]["lr"]), "seed": str(config["seed"])}
        assert [[point.step, point.value] for point in run.points if point.key == "val/loss"] == history
        assert run.state == state.upper()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["source=wandb://lab/letters"], "there is no such project, or the key may not see it"),
        (["source=wandb://lab/digits", "group=third"], "has no run of group 'third'"),
        (["source=wandb://lab/digits/id77"], "has no run of id 'id77'"),
        (["source=wandb://lab"], "is not a project of W&B; write wandb://ENTITY/PROJECT"),
        (["source=wandb://lab/a/b/c"], "is not a project of W&B; write wandb://ENTITY/PROJECT"),
    ],
)
def test_what_is_not_there_is_one_line(place: Place, server: WandbServer, words: list[str], said: str) -> None:
    assert said in place.refused(*words, "experiment=before")


def test_a_key_that_is_refused_is_one_line_without_the_key(
    place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret" * 7)
    line = place.refused("source=wandb://lab/digits")
    assert "refuses the key (invalid API key); set WANDB_API_KEY" in line
    assert "secret" not in line


def test_without_a_key_nothing_is_asked(place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    line = place.refused("source=wandb://lab/digits")
    assert "there is no API key for 127.0.0.1:" in line
    assert line.endswith("set WANDB_API_KEY, or call `wandb login`")
    assert server.asked == []


def test_the_key_of_netrc_is_taken_for_its_server(
    place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    netloc = server.url.removeprefix("http://")
    Path(os.environ["NETRC"]).write_text(f"machine {netloc}\n  login user\n  password {KEY}\n")
    assert "4 runs" in place.bring("source=wandb://lab/digits", "group=first", "experiment=before")


def test_a_server_that_stays_busy_or_is_away_is_one_line(
    place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rothamsted.importing.wandb.server.TRIES", 1)
    server.busy = [503] * 4
    assert "is busy or broken (status 503); ask again later" in place.refused("source=wandb://lab/digits")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached (" in place.refused("source=wandb://lab/digits")
    monkeypatch.setenv("WANDB_BASE_URL", "nowhere")
    assert "WANDB_BASE_URL: 'nowhere' is not an address" in place.refused("source=wandb://lab/digits")


@pytest.mark.parametrize(
    "changed",
    [
        {"name": None, "displayName": 3},
        {"config": "[1, 2]", "summaryMetrics": "no JSON", "tags": 5},
        {"config": '{"a": {"value": 1e999}, "b": {"value": null}}'},
        {"user": "ada"},
        {"createdAt": "yesterday", "heartbeatAt": 10**30},
        {"historyKeys": [1], "historyLineCount": "many"},
        {"historyKeys": {"lastStep": 10**30}, "historyLineCount": -4},
        {"state": {"is": "odd"}},
    ],
)
def test_an_answer_of_another_form_is_taken_as_far_as_it_goes_or_one_line(
    place: Place, server: WandbServer, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Run.node
    monkeypatch.setattr(Run, "node", lambda self: {**node(self), **changed})
    words = ["source=wandb://lab/digits", "group=first", "experiment=before"]
    from rothamsted.cli.main import main

    status = main(["import_runs", *words])
    done = place.capsys.readouterr()
    assert status == 0 or (status == 2 and done.err.count("\n") == 1), done.err
    assert "Traceback" not in done.out + done.err
