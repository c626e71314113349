"""The completion scripts: bash's is run by bash."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rothamsted.cli.completion import SHELLS, script, words_of
from rothamsted.cli.usage import USAGES
from rothamsted.spec.explain import explained_keys

KEYS = tuple(explained_keys())
BASH = shutil.which("bash")


def completed(words: list[str], *, folder: Path, sweeps: tuple[str, ...] = ()) -> list[str]:
    """What bash offers for the last of these words."""
    assert BASH is not None
    fake = folder / "bin" / "rothamsted"  # in place of the console script: prints names of sweeps
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(f"#!{BASH}\n[ \"$*\" = 'list -q' ] && printf '%s\\n' {' '.join(sweeps)}\n")
    fake.chmod(0o755)
    program = f"""
PATH={shlex.quote(str(fake.parent))}:$PATH
{script("bash", KEYS)}
COMP_WORDS=({shlex.join(words)})
COMP_CWORD={len(words) - 1}
_rothamsted 2>&1
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run([BASH, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_completes_commands_keys_files_and_names_of_sweeps(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").touch()
    assert completed(["rothamsted", "exp"], folder=tmp_path) == ["explain", "export"]
    assert completed(["rothamsted", "sweep", "replicates.rac"], folder=tmp_path) == [
        f"replicates.racing{below}=" for below in ("", ".min", ".max", ".step", ".narrower_than")
    ]
    assert completed(["rothamsted", "check", "digi"], folder=tmp_path) == ["digits.yaml"]
    assert completed(["rothamsted", "explain", "confirm.k"], folder=tmp_path) == ["confirm.keep"]
    assert completed(["rothamsted", "status", "qui"], folder=tmp_path, sweeps=("quick", "quiet", "slow")) == [
        "quick",
        "quiet",
    ]
    assert completed(["rothamsted", "delete", "--y"], folder=tmp_path) == ["--yes"]
    assert completed(["rothamsted", "sweep", "storage="], folder=tmp_path) == ["storage="]


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_a_script_names_every_command_and_all_its_words(shell: str) -> None:
    text = script(shell, KEYS)
    for command in USAGES:
        assert command in text
        assert all(word in text for word in words_of(command, KEYS))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_script_is_taken_by_its_shell(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    (tmp_path / "script").write_text(script(shell, KEYS))
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_an_unknown_shell_is_told_those_that_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rothamsted", "completion", "tcsh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no script for tcsh" in done.stderr
    assert "bash, zsh, fish" in done.stderr
