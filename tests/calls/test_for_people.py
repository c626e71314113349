"""What a person looks at: plots, the report, the view in a notebook, comparisons, a promotion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rothamsted as rt
from tests.calls.conftest import TOY
from tests.sweeping.conftest import Project


def test_a_plot_is_a_figure_that_its_user_may_change(toys: rt.Result, tmp_path: Path) -> None:
    figure = toys.plot()
    assert len(figure.axes[0].get_yticklabels()) == 6 + 1  # a row a condition, and one on fresh seeds
    figure.savefig(tmp_path / "intervals.png")
    assert (tmp_path / "intervals.png").stat().st_size > 1000
    some = toys.plot(where={"x": 0.5})
    assert len(some.axes[0].get_yticklabels()) == 3
    assert toys.plot("curves", metric="train_loss").axes[0].get_ylabel().startswith("train_loss")


def test_a_plot_takes_the_place_of_axes_that_there_are(toys: rt.Result, tmp_path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1])
    assert toys.plot("curves", ax=right) is figure
    assert toys.plot("intervals", ax=figure.axes[0]) is figure
    assert tuple(figure.get_size_inches()) == (8, 3)
    assert len(figure.subfigs) == 2
    figure.savefig(tmp_path / "both.png")


def test_a_plot_that_is_not_there_or_shows_nothing_says_so(toys: rt.Result) -> None:
    with pytest.raises(rt.UserError, match=r"plot: kind='curve': did you mean curves"):
        toys.plot("curve")
    with pytest.raises(rt.UserError, match=r"plot: task_profiles: "):
        toys.plot("task_profiles")
    with pytest.raises(rt.UserError, match=r"plot: metric='train': .*train_loss"):
        toys.plot(metric="train")
    with pytest.raises(rt.UserError, match="where: x is never 7"):
        toys.plot(where={"x": 7})


def test_the_report_is_one_file_and_the_export_has_each_condition(
    toys: rt.Result, project: Project, tmp_path: Path
) -> None:
    path = toys.report(tmp_path / "own.html")
    assert path == tmp_path / "own.html"
    assert "lr=1, x=0" in path.read_text()
    assert toys.report(tmp_path).name == "toys.html"
    assert toys.report() == project.root / "reports" / "toys.html"  # beside the tracking store
    folder = toys.export(tmp_path / "out", only=["results"])
    exported = json.loads((folder / "aggregated_results.json").read_text())
    assert exported[toys.best.label]["aggregated_metrics"]["objective"]["mean"] == toys.best.mean


def test_a_notebook_shows_the_verdict_the_chart_ten_rows_and_where_to_look(project: Project) -> None:
    result = rt.sweep("toy", {"lr": [n / 20 for n in range(1, 15)]}, **{**TOY, "replicates": 2})
    view = result._repr_html_()
    assert "cannot be ruled out as the best" in view or "No other can be the best" in view
    assert "<svg" in view
    assert view.count("<tr") == 1 + 10
    assert "10 of 14" in view
    assert f"runs/{result.run_id}" in view
    assert "lr=" in repr(result)


def test_optuna_answers_what_only_optuna_knows(toys: rt.Result) -> None:
    assert len(toys.optuna_study.trials) == 6
    assert toys.optuna_study.best_params["lr"] == 1.0


def test_all_sweeps_are_a_table_and_one_is_loaded_by_name_or_run(toys: rt.Result) -> None:
    table = rt.sweeps()
    assert list(table["name"]) == ["toys"]
    assert list(table["state"]) == ["finished"]
    [row] = table.to_dict("records")
    assert (row["n_done"], row["n_all"], row["best"], row["is_confirmed"]) == (6, 6, toys.best.label, True)
    assert (row["mean"], row["n"]) == (pytest.approx(toys.confirmed.mean), 4)
    for reference in ("toys", toys.run_id):
        loaded = rt.load(reference)
        assert loaded.best == toys.best
        assert loaded.is_complete
    with pytest.raises(rt.UserError, match=r"no sweep called 'toy'.*known: toys"):
        rt.load("toy")


@pytest.fixture
def two(project: Project) -> list[rt.Result]:
    keys: dict[str, Any] = {**TOY, "confirm": 3}
    return [rt.sweep("toy", {"lr": [lr, lr / 2]}, name=name, **keys) for name, lr in (("a", 1.0), ("b", 0.1))]


def test_sweeps_are_put_side_by_side_by_name_or_result(two: list[rt.Result]) -> None:
    by_name = rt.compare(["a", "b"], names=["A", "B"], metric="train_loss")
    assert sorted(by_name.conditions["label"]) == ["A", "B"]
    assert by_name.dataset.objective.direction == "minimize"
    assert by_name.plot("curves").axes
    by_result = rt.compare(two)
    frame = by_result.conditions.set_index("label")
    for one in two:
        assert frame.loc[one.name, "mean"] == pytest.approx(one.confirmed.mean)
        assert frame.loc[one.name, "n"] == 3
    mixed = rt.compare([two[0], "b"]).conditions.set_index("label")
    assert mixed["mean"].to_dict() == frame["mean"].to_dict()


def test_results_that_are_in_no_store_are_compared_too(two: list[rt.Result]) -> None:
    rows = [{"lr": 0.5, "seed": seed, "val_loss": 0.1 + seed / 100} for seed in range(3)]
    other = rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="val_loss")
    frame = rt.compare([two[0], other], names=["ours", "theirs"]).conditions.set_index("label")
    assert frame.loc["theirs", "mean"] == pytest.approx(0.11)
    unsaved = rt.sweep("toy", {"lr": [0.5]}, save=False, **TOY)
    assert set(rt.compare([two[0], unsaved], metric="train_loss").conditions["label"]) == {"a", "toy"}


def test_what_cannot_be_compared_is_said(two: list[rt.Result]) -> None:
    with pytest.raises(rt.UserError, match="two or more"):
        rt.compare(["a"])
    with pytest.raises(rt.UserError, match="1 names for 2 results"):
        rt.compare(["a", "b"], names=["A"])
    with pytest.raises(rt.UserError, match=r"direction is missing: is more learning_rate better"):
        rt.compare(["a", "b"], metric="learning_rate")
    with pytest.raises(rt.UserError, match="nobody"):
        rt.compare(["a", "nobody"])
