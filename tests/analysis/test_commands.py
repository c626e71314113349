"""analyze, report, compare and power by the console script's own door, in this process: importing takes seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import rothamsted as rt
from rothamsted.cli.main import main
from rothamsted.tracking import find_run, find_runs, list_files, read_curves, read_text
from tests.analysis.runs import log_run
from tests.sweeping.conftest import Project


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command of the console script."""

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return Done(status, printed.out, printed.err)

    return run


def sweep_run(project: Project) -> str:
    return find_runs(None, {"rothamsted.role": "sweep"}, uri=project.tracking_uri)[0].run_id


def first_trial(project: Project) -> str:
    found = find_runs(None, {"rothamsted.role": "trial", "rothamsted.trial": "0"}, uri=project.tracking_uri)
    return found[0].run_id


def metrics_of(project: Project) -> list[tuple]:
    """Every metric point of the store but those of the sweep's own run, which say when they were written."""
    with sqlite3.connect(project.root / "mlflow.db") as connection:
        rows = connection.execute("SELECT run_uuid, key, step, timestamp, value FROM metrics").fetchall()
    connection.close()
    own = sweep_run(project)
    return sorted(row for row in rows if row[0] != own)


def test_analyze_writes_tables_that_the_ui_shows_metrics_tags_and_the_report(swept: Project, call: Call) -> None:
    done = call("analyze", "--sweep", "toys")
    assert done.returncode == 0, done.stderr
    run_id = sweep_run(swept)
    names = [Path(path).name for path in list_files(run_id, "statistics", uri=swept.tracking_uri)]
    for table in ("conditions", "replicates", "metrics", "effects", "means"):
        assert f"{table}.csv" in names
        assert f"{table}.json" in names
    assert "curves.csv" in names
    run = find_run(run_id, uri=swept.tracking_uri)
    assert run is not None
    assert run.metrics["best_in_search/n"] == 3
    assert run.tags["rothamsted.analysis"].startswith("level 0.95, interval t, best ")
    report = read_text(run_id, "report/report.html", uri=swept.tracking_uri)
    assert report is not None
    assert report.startswith("<!DOCTYPE html>") or report.startswith("<!doctype html>")


def test_analyzing_twice_leaves_the_trials_as_they_were(swept: Project, call: Call) -> None:
    assert call("analyze", "--sweep", "toys").returncode == 0
    before = metrics_of(swept)
    assert call("analyze", "--sweep", "toys").returncode == 0
    assert metrics_of(swept) == before


def test_analyze_writes_the_numbers_that_the_sweep_wrote(swept: Project, call: Call) -> None:
    # Authority: the engine, which summarized the same replicates when the trial ended.
    trial = first_trial(swept)
    before = {k: c.values.tolist() for k, c in read_curves([trial], uri=swept.tracking_uri)[trial].items()}
    assert call("analyze", "--sweep", "toys").returncode == 0
    after = {k: c.values.tolist() for k, c in read_curves([trial], uri=swept.tracking_uri)[trial].items()}
    assert after.keys() == before.keys()
    for key, values in before.items():
        assert after[key] == pytest.approx(values, rel=1e-12), key


def test_another_level_widens_the_intervals_of_the_trials(swept: Project, call: Call) -> None:
    # By theory: at n = 3 the half-width grows from t(0.975, 2) = 4.302653 to t(0.995, 2) = 9.924843 sem.
    trial = first_trial(swept)
    assert call("analyze", "--sweep", "toys", "--level", "0.99").returncode == 0
    run = find_run(trial, uri=swept.tracking_uri)
    assert run is not None
    half = (run.metrics["objective/ci_high"] - run.metrics["objective/ci_low"]) / 2
    assert half == pytest.approx(9.924843 * run.metrics["objective/sem"], rel=1e-6)


def test_runs_of_strangers_get_one_summary_run_however_often_they_are_analysed(project: Project, call: Call) -> None:
    for lr in (0.1, 0.2):
        for seed in range(3):
            log_run(project.tracking_uri, {"lr": lr, "seed": seed}, [1.0, lr + 0.01 * seed])
    command = ["analyze", "--experiment", "strangers", "--group_by", "lr", "--replicate_by", "seed", "--metric", "loss"]
    for _ in range(2):
        done = call(*command)
        assert done.returncode == 0, done.stderr
    summaries = find_runs(None, {"rothamsted.role": "summary"}, uri=project.tracking_uri)
    assert [run.name for run in summaries] == ["summary of strangers"]
    table = read_text(summaries[0].run_id, "statistics/conditions.csv", uri=project.tracking_uri)
    assert table is not None
    assert len(table.splitlines()) == 3  # a header and two conditions


def test_a_report_is_copied_to_a_folder_on_request(swept: Project, call: Call) -> None:
    done = call("report", "--sweep", "toys", "--plots", "heatmap,curves", "--folder", "reports")
    assert done.returncode == 0, done.stderr
    page = (swept.root / "reports" / "toys.html").read_text()
    assert page.count("<figure") == 2
    assert "oes the toy learn?" in page


def test_a_run_called_like_a_script_is_text_in_the_report(project: Project, call: Call) -> None:
    for seed in range(3):
        log_run(project.tracking_uri, {"act": "<script>alert(1)</script>", "seed": seed}, [1.0 + seed, 0.5])
        log_run(project.tracking_uri, {"act": "relu", "seed": seed}, [1.0 + seed, 0.4])
    keys = ["--experiment", "strangers", "--group_by", "act", "--replicate_by", "seed", "--metric", "loss"]
    assert call("report", *keys, "--folder", "reports").returncode == 0
    page = (project.root / "reports" / "strangers.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_compare_puts_a_sweep_and_a_run_side_by_side(swept: Project, call: Call) -> None:
    stranger = log_run(swept.tracking_uri, {"lr": 0.5, "seed": 0}, [1.0, 0.9], metric="val_loss")
    done = call("compare", "--runs", f"toys,{stranger}", "--names", "Ours,A stranger's")
    assert done.returncode == 0, done.stderr
    assert "Ours: " in done.stdout
    assert "A stranger's: 0.9" in done.stdout
    refused = call("compare", "--runs", f"toys,{stranger}", "--names", "Ours")
    assert refused.stderr == "error: rothamsted compare: 1 names for 2 runs; give one each, names=A,B\n"
    assert "0.9 (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1: no interval)" in done.stdout
    assert list((swept.root / "reports").glob("*.html"))


def test_compare_gives_the_interval_that_the_file_of_a_sweep_asks_for(project: Project, call: Call) -> None:
    changes = {"space": {"lr": [0.1]}, "statistics": {"interval": "percentile", "level": 0.9}}
    assert rt.sweep(project.write(changes), workers="in_process").is_complete
    stranger = log_run(project.tracking_uri, {"lr": 0.5, "seed": 0}, [1.0, 0.9], metric="val_loss")
    compared = call("compare", "--runs", f"toys,{stranger}").stdout
    (own,) = (line for line in compared.splitlines() if line.strip().startswith("toys: ") and "[" in line)
    assert "percentile" in own
    assert "(90\N{NARROW NO-BREAK SPACE}%" in own
    assert own.split("toys: ")[1].split("]")[0] in call("analyze", "--sweep", "toys").stdout


def test_compare_says_that_files_ask_for_different_intervals(project: Project, call: Call) -> None:
    for name, interval in (("a", "percentile"), ("b", "t")):
        seeds = {"replicates": {"count": 6}}  # fewer cannot be resampled
        changes = {"name": name, "space": {"lr": [0.1]}, "statistics": {"interval": interval}, **seeds}
        assert rt.sweep(project.write(changes), workers="in_process").is_complete
    said = "Their files ask for different statistics.interval (a: percentile, b: t)."
    for more, method in ([], "t"), (["interval=percentile"], "percentile"):
        text = call("compare", "a", "b", *more).stdout
        assert said in text
        rows = [line for line in text.splitlines() if line.strip().startswith(("a: ", "b: ")) and "[" in line]
        assert [f", {method}, n" in row for row in rows] == [True, True], text


def test_power_says_how_many_replicates_a_difference_takes(swept: Project, call: Call) -> None:
    done = call("power", "--sweep", "toys", "--difference", "0.01")
    assert done.returncode == 0, done.stderr
    assert "seeds a condition, the same in all" in done.stdout
    assert "would have shown a loss of" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["analyze"], "which runs? give sweep=NAME"),
        (["analyze", "--sweep", "toys", "--experiment", "x"], "which runs?"),
        (["analyze", "--experiment", "Default"], "needs group_by"),
        (["analyze", "--experiment", "Default", "--group_by", "lr"], "needs metric=NAME"),
        (["analyze", "--sweep", "nowhere"], "there is no sweep called 'nowhere'"),
        (["analyze", "--sweep", "toys", "--metric", "auc"], "no replicate has the metric 'auc'; logged: "),
        (["analyze", "--sweep", "toys", "--level", "95"], "level=95 must lie between 0 and 1"),
        (["analyze", "--sweep", "toys", "--interval", "z"], "interval=z: there is no interval 'z'; known: t"),
        (["analyze", "--sweep", "toys", "--correction", "z"], "correction=z: there is no correction 'z'; known: "),
        (["analyze", "--sweep", "toys", "--test", "z"], "test=z: there is no comparison 'z'; known: auto"),
        (["analyze", "--sweep", "toys", "--reference", "99"], "condition 99, is not there; there are: 0 to 5"),
        (["analyze", "--sweep", "toys", "--colour", "red"], "unknown keys colour; the nearest of "),
        (["analyze", "--sweep", "toys", "--metric", "val_loss", "--direction", "up"], "direction=up is not known"),
        (["report", "--sweep", "toys", "--plots", "pie"], "there is no plot 'pie'; the nearest of "),
        (["compare", "--runs", "toys"], "name two or more"),
        (["compare", "--runs", "toys,nothing"], "no sweep and no run called 'nothing'"),
        (["compare", "--runs", "toys,toys"], "'toys' is named twice"),
        (["power", "--sweep", "toys"], "difference=NUMBER is missing"),
        (["power", "--sweep", "toys", "--difference", "much"], "difference=much is not a number"),
        (["power", "--sweep", "toys", "--difference", "0"], "needs infinitely many seeds"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], line: str, swept: Project, call: Call) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert line in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_runs_of_strangers_are_compared_over_tasks(project: Project, call: Call) -> None:
    for method, gain in (("sgd", 0.0), ("adam", 0.1), ("lion", 0.2)):
        for data, base in (("mnist", 0.7), ("svhn", 0.5), ("food", 0.2), ("cars", 0.1)):
            for seed in range(3):
                params = {"method": method, "data": data, "seed": seed}
                log_run(project.tracking_uri, params, [0.0, base + gain + 0.01 * seed], metric="accuracy")
    asked = ("--experiment", "strangers", "--group_by", "method", "--replicate_by", "seed", "--metric", "accuracy")
    done = call("analyze", *asked, "--task", "data")
    assert done.returncode == 0, done.stderr
    said = done.stdout.replace("\N{NO-BREAK SPACE}", " ")
    assert "Conditions are compared over 4 tasks (data: mnist, svhn, food and cars)" in said
    assert "The best mean of each task: method=lion (condition 8) on mnist, svhn, food and cars." in said
    run = find_runs(None, {"rothamsted.role": "summary"}, uri=project.tracking_uri)[0]
    assert "task_ranks.csv" in " ".join(list_files(run.run_id, "statistics", uri=project.tracking_uri))
    plain = call("analyze", *asked, "--task", "data", "--task_scale", "none")
    assert "accuracy as logged. It has to mean the same on every task" in plain.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--task", "method"), "task=method: there is only one task"),
        (("--task", "nothing"), "no run has a parameter or tag 'nothing'"),
        (("--task_scale", "none"), "task_scale=none needs task=FACTOR"),
        (("--task", "data", "--task_scale", "log"), "must be range, none, or the ends of each task's scale"),
        (("--task", "data", "--task_scale", "{a: [0, 1]}"), "scale: no ends for b"),
    ],
)
def test_a_mistake_in_a_task_is_one_line(project: Project, call: Call, arguments: tuple[str, ...], says: str) -> None:
    for data in ("a", "b"):
        log_run(project.tracking_uri, {"method": "m", "lr": 1, "data": data}, [0.5])
    done = call("analyze", "--experiment", "strangers", "--group_by", "method,lr", "--metric", "loss", *arguments)
    assert done.returncode != 0
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
