"""What a result was made with."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from rothamsted.tracking import environment_text, git_commit
from rothamsted.tracking.environment import uncommitted


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", "KEY=5ecret"),
        ("conf/prod.env", "KEY=5ecret"),
        (".env.local", "KEY=5ecret"),
        ("sub/.netrc", "password 5ecret"),
        ("own.pem", "5ecret"),
        ("a b.yaml", "name: a\nexecution:\n  workers: 1\n  environment: {KEY: 5ecret}\n"),
        ("*.yml", "execution.environment.KEY: 5ecret"),
        ("sweep.json", '{"execution": {"runtime_env": {"env_vars": {"KEY": "5ecret"}}}}'),
        ("code.py", 'store = "postgresql://me:5ecret@host/db"\n'),
    ],
)
def test_uncommitted_changes_are_kept_without_secrets(checkout: Path, name: str, text: str) -> None:
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text(text)
    (checkout / "config.yaml").write_text("environment: CartPole\n")
    changes = uncommitted(checkout)
    assert "5ecret" not in changes
    assert name in changes
    assert "CartPole" in changes


def test_a_sweep_file_whose_committed_text_has_variables_is_no_part_of_the_changes(checkout: Path) -> None:
    (checkout / "sweep.yaml").write_text("execution: {environment: {KEY: 5ecret}}\n")
    author = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for arguments in (["add", "."], [*author, "commit", "-q", "-m", "m"]):
        subprocess.run(["git", "-C", str(checkout), *arguments], check=True)
    (checkout / "sweep.yaml").write_text("name: a\n")
    assert "5ecret" not in uncommitted(checkout)


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
