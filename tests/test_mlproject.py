"""Reading MLproject: where it is, its entry points, and which of them are studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow.projects._project_spec import load_project

from rothamsted.errors import UserError
from rothamsted.mlproject import Parameter, find_root, read_mlproject, study_commands

PROJECT = """\
name: lab
entry_points:
  toy:
    parameters:
      config: {type: string, default: ""}
      lr: float
    command: "python -m projects.toy --config {config} --lr {lr}"
  bare:
    command: python -m projects.bare
  sweep:
    command: "python -m rothamsted sweep"
  other:
    command: "python -m projects_of_others.x"
  late:
    command: "echo python -m projects.late"
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "MLproject").write_text(text, encoding="utf-8")
    return folder


def test_studies_are_the_entry_points_that_run_a_module_of_projects(tmp_path: Path) -> None:
    assert study_commands(_write(tmp_path, PROJECT)) == {
        "toy": "python -m projects.toy --config {config} --lr {lr}",
        "bare": "python -m projects.bare",
    }


def test_entry_points_read_as_mlflow_reads_them(tmp_path: Path) -> None:
    # Authority: MLflow's own reader of the same file.
    root = _write(tmp_path, PROJECT)
    theirs = load_project(str(root))
    ours = read_mlproject(root).entry_points
    assert {name: _content(entry) for name, entry in ours.items()} == {
        name: _content(theirs.get_entry_point(name)) for name in ours
    }


def _content(entry: Any) -> tuple[str, dict[str, tuple[str, Any]]]:
    return entry.command, {key: (declared.type, declared.default) for key, declared in entry.parameters.items()}


def test_a_parameter_may_be_its_type_alone(tmp_path: Path) -> None:
    project = read_mlproject(_write(tmp_path, PROJECT))
    assert project.entry_points["toy"].parameters["lr"] == Parameter(type="float", default=None)


def test_the_root_is_the_nearest_folder_above_that_has_an_mlproject(tmp_path: Path) -> None:
    inner = _write_in(_write(tmp_path, PROJECT), "inner")
    (inner / "deep" / "deeper").mkdir(parents=True)
    assert find_root(inner / "deep" / "deeper") == inner.resolve()


def _write_in(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return _write(folder / name, PROJECT)


def test_the_search_for_the_root_starts_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(_write(tmp_path, PROJECT))
    assert find_root() == tmp_path.resolve()


def test_a_folder_outside_any_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file MLproject here or in any folder above"):
        find_root(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "MLproject: is not YAML"),
        ("- a", "MLproject: must be a mapping"),
        ("name: x", "entry_points must be a mapping of names to commands, not None"),
        ("entry_points: {a: 3}", "entry_points.a: must be a mapping with a command, not 3"),
        ("entry_points: {a: {}}", "entry_points.a.command: must be a shell command, not None"),
        ("entry_points: {a: {command: x, parameters: [b]}}", "entry_points.a.parameters: must be a mapping"),
        (
            "entry_points: {a: {command: x, parameters: {b: {type: int}}}}",
            "entry_points.a.parameters.b.type: must be one of string, float, path, uri, not 'int'",
        ),
        ("entry_points: {a: {command: x, parameters: {b: 3}}}", "entry_points.a.parameters.b: must be"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_key_at_fault(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        study_commands(_write(tmp_path, text))
    assert (says in str(error.value), "\n" in str(error.value)) == (True, False)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_mlproject(tmp_path)
