"""`report --format pdf`: figures of finished runs by the console script's own door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from rothamsted.cli.main import main
from rothamsted.tracking import find_runs, list_files
from tests.analysis.runs import log_run
from tests.sweeping.conftest import Project

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command of the console script: exit status, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_plots_are_written_to_a_folder_and_nothing_is_recorded(swept: Project, call: Call) -> None:
    before = [(r.run_id, r.tags, r.metrics) for r in find_runs(None, {}, uri=swept.tracking_uri)]
    status, out, err = call("report", "--sweep", "toys", "--plots", "forest,curves", "--format", "png,svg,pdf")
    assert status == 0, err
    assert names(swept.root / "figures") == [
        f"toys-{plot}.{kind}" for plot in ("curves", "forest") for kind in ("pdf", "png", "svg")
    ]
    assert "The mean of each condition with its 95 %" in out  # the caption
    assert [(r.run_id, r.tags, r.metrics) for r in find_runs(None, {}, uri=swept.tracking_uri)] == before


def test_the_pictures_of_the_best_conditions_first_replicate_lie_beside_the_plots(swept: Project, call: Call) -> None:
    best = min(
        (run for run in find_runs(None, {"rothamsted.role": "trial"}, uri=swept.tracking_uri)),
        key=lambda run: run.metrics["val_loss/mean"],
    )
    client = MlflowClient(swept.tracking_uri)
    for run in find_runs(None, {"rothamsted.role": "replicate"}, uri=swept.tracking_uri):
        own = run.tags["mlflow.parentRunId"] == best.run_id and run.tags["rothamsted.replicate"] == "0"
        client.log_text(run.run_id, "best" if own else "other", "samples/epoch0.png")
    status, out, err = call("report", "--sweep", "toys", "--format", "png", "--folder", "f")
    assert status == 0, err
    assert (swept.root / "f" / "toys-samples_epoch0.png").read_text() == "best"
    assert "samples/epoch0.png of a replicate of the best condition" in out


def test_the_run_that_mlflow_opens_around_the_command_has_the_figures(
    swept: Project, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(swept.tracking_uri)
    outer = client.create_run(client.create_experiment("by mlflow run")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", outer)
    status, _, err = call("report", "--sweep", "toys", "--plots", "forest", "--format", "pdf")
    assert status == 0, err
    assert list_files(outer, "figures", uri=swept.tracking_uri) == ["figures/toys-forest.pdf"]
    assert client.get_run(outer).data.tags["rothamsted.role"] == "summary"  # no result of an experiment


def test_where_draws_the_conditions_with_these_values_alone(swept: Project, call: Call) -> None:
    keys = ("report", "--sweep", "toys", "--format", "svg", "--plots", "forest", "--folder", "f")
    assert call(*keys)[0] == 0
    status, out, err = call(*keys, "--where", "x=0.5 lr=0.1")
    assert status == 0, err
    assert "Only conditions with x=0.5, lr=0.1: 1 of 6." in out
    whole, part = (
        (swept.root / "f" / name).read_text() for name in ("toys-forest.svg", "toys-forest-x=0.5-lr=0.1.svg")
    )
    assert [whole.count(f"x={x}<") for x in (0, 0.5)] != [part.count(f"x={x}<") for x in (0, 0.5)]
    assert part.count("lr=0.1, x=0.5") == 1
    assert "x=0<" not in part.replace("x=0.0<", "x=0<")


def test_all_draws_every_plot_that_applies_and_says_why_others_do_not(swept: Project, call: Call) -> None:
    status, out, err = call("report", "--sweep", "toys", "--format", "png", "--plots", "all")
    assert status == 0, err
    assert "toys-heatmap.png" in names(swept.root / "figures")
    assert "no outcomes: all 18 replicates of 6 conditions finished" in out


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("--plots", "forst"), r"plots=forst: there is no plot 'forst'; did you mean forest? the nearest of"),
        (("--format", "eps"), "format=eps is not known; there are: png, svg, pdf"),
        (("--where", "gama=1"), "where: 'gama' is not a parameter that differs here; known: lr, x"),
        (("--where", "x=7"), "where: x is never 7; it is 0, 0.5"),
        (("--where", "x"), "'x' is not NAME=VALUE; write gamma=1 batch_size=64"),
        (("--where", "x=1 x=2"), "x is given twice"),
        (("--where", 'x="1'), "a quotation mark is not closed"),
        (("--smoothing", "ema:2"), "smoothing 'ema:2' is not known; write none, ema:WEIGHT"),
        (("--size", "5"), "size=5 must be a width in mm from 50 to 500"),
        (("--plots", "outcomes"), "plots=outcomes: all 18 replicates of 6 conditions finished"),
        (("--smoting", "1"), "unknown keys smoting; did you mean smoothing?"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    swept: Project, call: Call, keys: tuple[str, ...], said: str
) -> None:
    given = {"--sweep": "toys", "--format": "pdf"} | dict(zip(keys[::2], keys[1::2], strict=True))
    status, _, err = call("report", *(word for pair in given.items() for word in pair))
    assert (status, err.count("\n")) == (2, 1)
    assert said in err
    assert not (swept.root / "figures").exists()


def test_a_key_of_figures_without_a_format_is_refused(swept: Project, call: Call) -> None:
    status, _, err = call("report", "--sweep", "toys", "--size", "85")
    assert (status, err) == (2, "error: rothamsted report: size is for figures; give format=png,svg,pdf with it\n")


def test_the_page_shows_the_curve_of_one_condition_by_its_values(swept: Project, call: Call) -> None:
    # steps is 20 in the file: a fixed parameter may be named, at its value.
    keys = ("report", "--sweep", "toys", "--plots", "curves", "--folder", "f")
    status, _, err = call(*keys, "--where", "x=0.5 steps=20 lr=0.1")
    assert status == 0, err
    page = (swept.root / "f" / "toys.html").read_text()
    assert "Only conditions with x=0.5, steps=20, lr=0.1: 1 of 6." in page
    assert "means over 3 replicates" in page


def test_a_fixed_parameter_at_another_value_is_refused(swept: Project, call: Call) -> None:
    status, _, err = call("report", "--sweep", "toys", "--plots", "curves", "--where", "lr=0.1 steps=64")
    assert (status, err) == (2, "error: where: steps is never 64; it is 20 in every condition\n")


def test_curves_by_samples_of_runs_of_strangers(project: Project, call: Call) -> None:
    for lr in (0.1, 0.2):
        for seed in range(3):
            more = {"samples_seen": [32.0, 64.0, 96.0]}
            log_run(project.tracking_uri, {"lr": lr, "seed": seed}, [1.0, 0.5 + lr, lr + 0.01 * seed], more=more)
    keys = ["--experiment", "strangers", "--group_by", "lr", "--replicate_by", "seed", "--metric", "loss"]
    drawn = ["--plots", "curves", "--format", "svg", "--x", "samples", "--smoothing", "mean:3"]
    status, out, err = call("report", *keys, *drawn)
    assert status == 0, err
    assert "Smoothed by a running mean over 3 measurements" in out
    assert "samples seen" in (project.root / "figures" / "strangers-curves.svg").read_text()


def test_samples_that_no_run_has_logged_are_no_axis(project: Project, call: Call) -> None:
    for seed in range(3):
        log_run(project.tracking_uri, {"lr": 0.1, "seed": seed}, [1.0, 0.5 + seed])
    keys = ["--experiment", "strangers", "--group_by", "lr", "--replicate_by", "seed", "--metric", "loss"]
    status, _, err = call("report", *keys, "--plots", "curves", "--format", "svg", "--x", "samples")
    assert (status, err.count("\n")) == (2, 1)
    assert "no finite curve of loss by samples: no run has logged samples_seen; axes with curves: step, seconds" in err
