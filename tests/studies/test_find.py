"""A study is found through the command of its entry point, and nothing else is imported on the way."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rothamsted.errors import StudyError
from rothamsted.studies import find, load_study, study_module
from tests.conftest import ROOT
from tests.toy import STUDY


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose package of studies has a name of its own: a process imports a name once."""
    path = tmp_path / f"studies_{abs(hash(request.node.name))}"
    path.mkdir()
    (path / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", list(sys.path))
    return path


def add_study(project: Path, main: str) -> str:
    (project / "one").mkdir()
    (project / "one" / "__init__.py").touch()
    (project / "one" / "__main__.py").write_text(main)
    return f"python -m {project.name}.one --seed {{seed}}"


COMMANDS = {
    "python -m projects.toy": "projects.toy",
    "python3.11 -m projects.toy --lr {lr}": "projects.toy",
    "OMP_NUM_THREADS=1 .venv/bin/python -u -m projects.toy": "projects.toy",
    "python train.py": None,
    "Rscript -m projects.toy": None,
}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_module_of_a_command_is_what_python_would_run(command: str) -> None:
    assert study_module(command) == COMMANDS[command]


def test_the_study_is_the_one_of_the_modules_main() -> None:
    assert load_study("python -m tests.toy --lr {lr}", ROOT) is STUDY


def test_a_study_copied_under_another_root_is_found_there(project: Path) -> None:
    shutil.copytree(ROOT / "tests" / "toy", project / "one")
    assert load_study(f"python -m {project.name}.one", project.parent).name == "toy"


def test_a_command_of_another_form_is_refused() -> None:
    with pytest.raises(StudyError, match=r"'python train.py': a study's command must be 'python -m"):
        load_study("python train.py", ROOT)


def test_a_missing_module_is_refused_with_the_file_to_add(project: Path) -> None:
    with pytest.raises(StudyError) as refused:
        load_study(f"python -m {project.name}.gone", project.parent)
    assert str(refused.value).endswith(f"add {project.resolve() / 'gone' / '__main__.py'}")


def test_a_program_outside_the_root_is_refused_without_running_it(project: Path) -> None:
    with pytest.raises(StudyError, match="outside"):
        load_study("python -m pip", project.parent)
    assert "pip.__main__" not in sys.modules


def test_a_main_without_a_study_is_refused(project: Path) -> None:
    command = add_study(project, "STUDY = 'toy'\n")
    with pytest.raises(StudyError, match="has no STUDY of the type Study, but 'toy'"):
        load_study(command, project.parent)


def test_a_main_that_does_not_import_is_refused_with_its_error(project: Path) -> None:
    command = add_study(project, "import no_such_library_at_all\n")
    with pytest.raises(StudyError, match="ModuleNotFoundError: No module named 'no_such_library_at_all'"):
        load_study(command, project.parent)


def test_a_function_of_a_cell_is_found_by_its_name_where_its_cell_has_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = ModuleType("__main__")  # as a kernel's: it has no file
    exec("def train(seed: int, lr: float = 0.1):\n    return lr", vars(notebook))
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    assert find(":train", tmp_path).config(lr=0.5).model_dump() == {"seed": 0, "lr": 0.5}
    with pytest.raises(StudyError, match=r"run the cell that defines other, or put it in a file"):
        find(":other", tmp_path)


def test_a_program_is_no_notebook_whatever_it_defines(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no file holds it"):
        find(":main", tmp_path)
