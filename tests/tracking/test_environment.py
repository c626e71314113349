"""What a result was made with."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from rothamsted.tracking import environment_text, git_commit


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("*.db\n")
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-q", "-m", "m"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    return tmp_path


def test_a_clean_checkout_gives_its_commit(checkout: Path) -> None:
    shown = subprocess.run(["git", "-C", str(checkout), "log", "--format=%H"], capture_output=True, text=True)
    assert git_commit(checkout) == (shown.stdout.strip(), False)


@pytest.mark.parametrize("name", ["code.py", "new.py"])
def test_changed_and_new_code_makes_a_checkout_dirty(checkout: Path, name: str) -> None:
    (checkout / name).write_text("x = 2\n")
    commit = git_commit(checkout)
    assert commit is not None
    assert commit[1] is True


def test_an_ignored_file_does_not_make_a_checkout_dirty(checkout: Path) -> None:
    (checkout / "mlflow.db").write_text("")
    commit = git_commit(checkout)
    assert commit is not None
    assert commit[1] is False


def test_a_folder_outside_git_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None


def test_without_git_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit(checkout) is None


def test_the_environment_names_python_and_each_package_once_in_order() -> None:
    head, packages = [], []
    for line in environment_text().splitlines():
        (head if line.startswith("#") else packages).append(line)
    names = [line.split("==")[0] for line in packages]
    assert head[0] == f"# python {platform.python_version()}"
    assert f"mlflow=={metadata.version('mlflow')}" in packages
    assert names == sorted(set(names))
