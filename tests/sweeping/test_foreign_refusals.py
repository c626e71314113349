"""What a sweep of a stranger's project is told before anything starts."""

from __future__ import annotations

import pytest

from rothamsted.cli.main import main
from tests.sweeping.strangers import Home

# ---- what is said before anything starts ----


def refused(home: Home, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line that `rothamsted sweep` prints; nothing has been created."""
    assert main(["sweep", "--config", "sweep.yaml", *arguments]) == 2
    error = capsys.readouterr().err
    assert (error.startswith("error: "), error.count("\n")) == (True, 1), error
    assert not (home.root / "optuna.db").exists()
    assert home.runs("sweep") == []
    return error


def test_a_folder_without_a_project_is_refused(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (home.root / "frugal" / "MLproject").unlink()
    home.write()
    assert "has no file MLproject and no script 'main'" in refused(home, capsys)
    home.write({"project": "nowhere"})
    assert "sweep.yaml:2: project: " in refused(home, capsys)


def test_an_entry_point_that_does_not_exist_is_refused_with_those_that_do(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write({"entry_point": "train"})
    assert "has no entry point 'train'; known: main, shell, drops_its_seed" in refused(home, capsys)


def test_a_parameter_that_does_not_exist_is_refused_on_the_command_line(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write()
    assert "command line: lrr: is neither a key of a sweep file nor a parameter of project" in refused(
        home, capsys, "--lrr", "0.1"
    )


def test_a_parameter_without_a_value_is_refused(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.root / "frugal" / "MLproject"
    path.write_text(path.read_text().replace("steps: {type: float, default: 5}", "steps: float", 1))
    home.write()
    assert "steps" in refused(home, capsys)


def test_a_metric_that_the_engine_logs_itself_is_refused(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.write({"objective": {"metric": "objective", "direction": "minimize"}})
    assert "have the program log it under another name" in refused(home, capsys)


def test_a_parameter_that_the_entry_point_does_not_declare_is_refused_with_the_way_out(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write({"parameters": {"lrr": 3}})
    line = refused(home, capsys)
    assert "lrr: is not a parameter that project" in line
    assert "did you mean lr?" in line
    assert "add undeclared: [lrr]" in line


def test_check_warns_of_parameters_that_have_no_effect(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.write({"entry_point": "drops_its_seed"})
    assert main(["check", "sweep.yaml"]) == 0
    out = capsys.readouterr().out
    assert out.count("declares parameter 'seed' and does not pass it on to its command: it has no effect") == 1
