"""A package of others that adds one of each kind: in a sweep, its report, a promotion, errors and help."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rothamsted.catalog import REGISTRIES
from rothamsted.promotion.judge.policy import Policy
from tests.conftest import ROOT
from tests.doors.recipes import ADDED
from tests.promotion.store import POLICY, log_sweep
from tests.sweeping.conftest import Project

CHANGES: dict[str, Any] = {
    "space": {"lr": {"low": 0.01, "high": 1.0, "log": True}, "x": {"low": -1.0, "high": 1.0}},
    "sampler": {"name": "mirrored"},
    "trials": 10,
    "pruner": {"name": "best_third"},
    "execution": {"executor": "one_worker", "workers": 2, "report": True},
    "enqueue": [{"lr": 0.1, "x": 0.5}],
    "statistics": {
        "interval": "normal",
        "correction": "sidak",
        "test": "pooled_t",
        "reference": {"lr": 0.1, "x": 0.5},
    },
}


def environment(added: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(added), str(ROOT)])}


@pytest.fixture
def importable(added: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package is installed in this process, and forgotten again."""
    monkeypatch.syspath_prepend(str(added))
    yield
    for one in REGISTRIES.values():
        one._of_others.clear()


def test_the_recipes_add_one_of_each_kind() -> None:
    assert set(ADDED) == set(REGISTRIES)


def test_a_sweep_uses_what_a_package_adds(project: Project, added: Path) -> None:
    project.altered.append("toys")  # what the package adds is not in this process, which would read the sweep again
    done = project.cli("sweep", "--config", str(project.write(CHANGES)), **environment(added))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one worker instead of 2" in done.stdout
    [comparisons] = project.root.rglob("comparisons.csv")
    rows = pd.read_csv(comparisons)
    assert set(rows["test"]) == {"pooled_t"}
    assert set(rows["correction"]) == {"sidak"}
    [report] = project.root.rglob("report.html")
    page = report.read_text(encoding="utf-8")
    assert "by pruner best_third" in page
    assert "normal" in page
    assert '<figure id="figure-ranks">' in page


@pytest.mark.usefixtures("importable")
def test_its_sampler_mirrors_each_second_condition() -> None:
    # The recipe's own words; on a linear axis the two points of a pair lie around the middle.
    from rothamsted.search.samplers import sampler_named
    from rothamsted.space import Range, Space

    make = sampler_named("mirrored").conditions
    assert make is not None
    first, second = make(Space({"x": Range(low=0.0, high=1.0)}), 3, 0, 2)
    assert first["x"] + second["x"] == pytest.approx(1.0)


@pytest.mark.parametrize("command", ["sweep", "check", "analyze", "report", "promote"])
def test_help_lists_what_a_package_adds(project: Project, added: Path, command: str) -> None:
    done = project.cli(command, "--help", **environment(added))
    assert (done.returncode, done.stderr) == (0, "")
    kinds = {
        "analyze": ("interval", "correction", "comparison", "plot"),
        "report": ("interval", "correction", "comparison", "plot"),
        "promote": ("rule", "comparison", "correction"),
    }.get(command, ("sampler", "pruner", "executor", "interval", "correction", "comparison"))
    lines = {line.split(": ")[0].split()[-1]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert {kind: ADDED[kind] in lines[kind] for kind in kinds} == dict.fromkeys(kinds, True)


@pytest.mark.parametrize(
    ("changes", "key", "near"),
    [
        ({"sampler": {"name": "mirorred"}}, "sampler.name", "mirrored"),
        ({"pruner": {"name": "best_thrid"}}, "pruner.name", "best_third"),
        ({"execution": {"executor": "one_wroker"}}, "execution.executor", "one_worker"),
        ({"statistics": {"interval": "norml"}}, "statistics.interval", "normal"),
        ({"statistics": {"correction": "sidack"}}, "statistics.correction", "sidak"),
        ({"statistics": {"test": "poled_t"}}, "statistics.test", "pooled_t"),
    ],
)
@pytest.mark.usefixtures("importable")
def test_the_error_of_a_misspelt_name_lists_what_a_package_adds(
    project: Project, changes: dict[str, Any], key: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from rothamsted.cli.main import main

    assert main(["check", str(project.write({**CHANGES, **changes}))]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f": {key}: there is no " in error
    assert f"did you mean {near}" in error
    assert "sweep.yaml:" in error


@pytest.mark.usefixtures("importable")
def test_a_policy_takes_its_rule_its_correction_and_its_comparison() -> None:
    made = Policy.model_validate({**POLICY, "kind": "relative", "correction": "sidak", "test": "pooled_t"})
    names = Policy.model_json_schema()["properties"]
    assert (made.kind, names["kind"]["enum"][-1]) == ("relative", "relative")
    assert names["correction"]["enum"] == ["holm", "bonferroni", "sidak"]
    assert names["test"]["enum"][-1] == "pooled_t"


@pytest.mark.usefixtures("importable", "first_stands")
@pytest.mark.parametrize(("share", "decision"), [(0.3, "promoted"), (0.5, "kept")])
def test_a_promotion_uses_the_rule_of_a_package(uri: str, promoting: Any, share: float, decision: str) -> None:
    # The champion's losses are about 0.5 and the challenger's 0.3: better by 0.2, which is 40 % of 0.5.
    log_sweep(uri, "second", [0.3])
    policy = Policy.model_validate({**POLICY, "kind": "relative", "smallest_improvement": share})
    outcome = promoting("second", policy)
    assert outcome.decided[0].decision == decision
