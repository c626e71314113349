"""MLproject: what it declares it passes on, and what it does not declare reaches the study."""

from __future__ import annotations

import pytest
import yaml

from rothamsted.mlproject import study_commands
from rothamsted.studies import field_names, load_study
from tests.conftest import ROOT

ENTRY_POINTS = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]


@pytest.mark.parametrize("name", sorted(ENTRY_POINTS))
def test_every_declared_parameter_is_passed_on_under_its_name(name: str) -> None:
    entry = ENTRY_POINTS[name]
    missing = [p for p in entry.get("parameters") or {} if f"--{p} {{{p}}}" not in entry["command"]]
    assert missing == []


@pytest.mark.parametrize("name", sorted(study_commands(ROOT)))
def test_a_study_declares_nothing_so_that_every_field_can_be_given(name: str) -> None:
    # MLflow passes an undeclared -P key=value on as --key value, dots included.
    assert not ENTRY_POINTS[name].get("parameters")


@pytest.mark.parametrize("name", sorted(study_commands(ROOT)))
def test_every_field_of_a_study_is_an_option_of_its_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rothamsted.studies import main

    study = load_study(study_commands(ROOT)[name], ROOT)
    with pytest.raises(SystemExit):
        main(study, ["--help"])
    text = capsys.readouterr().out
    assert [field for field in field_names(study.config) if f"--{field}" not in text] == []


def test_the_default_sweep_of_the_project_is_the_quickstart() -> None:
    for name in ("main", "sweep"):
        assert ENTRY_POINTS[name]["parameters"]["config"]["default"] == "sweeps/quickstart.yaml"
