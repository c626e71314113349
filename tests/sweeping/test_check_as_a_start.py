"""What would refuse a start refuses `check`, in the same words."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from rothamsted.cli.main import main
from tests.sweeping.strangers import Home

MLPROJECT = """\
name: typed
{environment}
entry_points:
  main:
    parameters:
      lr: {{type: float, default: 0.1}}
      seed: {{type: float, default: 0}}
      data: {{type: path, default: frugal}}
      source: {{type: uri, default: "https://example.org/x"}}
    command: "python train.py {{lr}} {{seed}} 2 0 well {{data}} {{source}}"
"""


def lines(home: Home, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], environment: str = "") -> list[str]:
    """What `check` and `sweep` say of a sweep of the project; nothing has been created."""
    (home.root / "frugal" / "MLproject").write_text(MLPROJECT.format(environment=environment))
    home.write(changes)
    said = []
    for command in (["check", "sweep.yaml"], ["sweep", "--config", "sweep.yaml"]):
        assert main(command) == 2
        said.append(capsys.readouterr().err)
    assert home.runs("sweep") == []
    return said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"parameters": {"data": "nowhere"}}, "Got value nowhere for parameter data, but no such file or directory"),
        ({"space": {"lr": [0.25], "data": ["frugal", "gone"]}}, "Got value gone for parameter data"),
        ({"parameters": {"source": "no-uri"}}, "Expected URI for parameter source but got no-uri"),
        ({"execution": {"env_manager": "conda"}}, "environment by conda: the project has no conda_env; use virtualenv"),
    ],
)
def test_of_a_project(home: Home, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], says: str) -> None:
    check, start = lines(home, capsys, changes)
    assert (says in check, check) == (True, start)
    assert check.startswith("error: ")
    assert check.count("\n") == 1


@pytest.mark.skipif(shutil.which("pyenv") is not None, reason="pyenv is there")
def test_of_an_environment_manager_that_is_not_installed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    check, start = lines(home, capsys, {"execution": {"env_manager": "virtualenv"}})
    assert ("Could not find the pyenv binary" in check, check) == (True, start)


def test_of_an_environment_that_cannot_be_read(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (home.root / "frugal" / "python_env.yaml").write_text("dependencies: [numpy\n")
    manager = {"execution": {"env_manager": "uv"}}
    check, start = lines(home, capsys, manager, environment="python_env: python_env.yaml")
    assert ("environment by uv: cannot be made" in check, check) == (True, start)
