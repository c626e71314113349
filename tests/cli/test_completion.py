"""The completion scripts, each run by its own shell where that is installed."""

from __future__ import annotations

import os
import pty
import select
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
BASH, ZSH, FISH = (shutil.which(shell) for shell in ("bash", "zsh", "fish"))


def fake_command(folder: Path, sweeps: tuple[str, ...]) -> str:
    """PATH with a program in place of the console script: it prints names of sweeps."""
    fake = folder / "bin" / "rothamsted"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(f"#!/bin/sh\n[ \"$*\" = 'list -q' ] && printf '%s\\n' {' '.join(sweeps)}\n")
    fake.chmod(0o755)
    return f"{fake.parent}{os.pathsep}{os.environ['PATH']}"


def completed(words: list[str], *, folder: Path, sweeps: tuple[str, ...] = ()) -> list[str]:
    """What bash offers for the last of these words."""
    assert BASH is not None
    program = f"""
PATH={shlex.quote(fake_command(folder, sweeps))}
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
    assert completed(["rothamsted", "exp"], folder=tmp_path) == ["explain", "export", "experiment_log"]
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


def completed_by_fish(line: str, folder: Path) -> list[str]:
    """What fish offers for a line that ends in its cursor, without the descriptions."""
    assert FISH is not None
    (folder / "rothamsted.fish").write_text(script("fish", KEYS))
    program = f"source rothamsted.fish; complete --do-complete {shlex.quote(line)}"
    of_its_own = {"PATH": fake_command(folder, ("quick", "quiet", "slow")), "HOME": str(folder / "home")}
    done = subprocess.run([FISH, "-N", "-c", program], cwd=folder, env=of_its_own, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(row.partition("\t")[0] for row in done.stdout.splitlines())


@pytest.mark.skipif(FISH is None, reason="there is no fish")
def test_fish_completes_commands_keys_files_and_names_of_sweeps(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").touch()
    assert completed_by_fish("rothamsted exp", tmp_path) == ["experiment_log", "explain", "export"]
    assert completed_by_fish("rothamsted sweep replicates.cou", tmp_path) == ["replicates.count="]
    assert completed_by_fish("rothamsted check digi", tmp_path) == ["digits.yaml"]
    assert completed_by_fish("rothamsted explain confirm.k", tmp_path) == ["confirm.keep"]
    assert completed_by_fish("rothamsted status qui", tmp_path) == ["quick", "quiet"]
    assert completed_by_fish("rothamsted delete --y", tmp_path) == ["--yes"]
    assert completed_by_fish("rothamsted status di", tmp_path) == []  # no files where sweeps are named


def completed_by_zsh(line: str, folder: Path) -> str:
    """What the line is after the key Tab in a zsh at a terminal of its own."""
    assert ZSH is not None
    (folder / "rothamsted.zsh").write_text(script("zsh", KEYS))
    (folder / "setup.zsh").write_text(
        "PS1=; unsetopt zle_bracketed_paste prompt_cr; unset zle_bracketed_paste\n"
        "autoload -Uz compinit; compinit -u -D; source rothamsted.zsh\n"
        "shown() { print -rn -- \"$BUFFER\" > buffer; print READ; }; zle -N shown; bindkey '^T' shown\n"
        "print 'IS''READY'\n"
    )
    of_its_own = {"PATH": fake_command(folder, ("quick", "slow")), "HOME": str(folder), "TERM": "dumb"}
    here, there = pty.openpty()
    shell = subprocess.Popen([ZSH, "-f", "-i"], cwd=folder, env=of_its_own, stdin=there, stdout=there, stderr=there)
    try:
        os.write(here, b"source setup.zsh\n")
        read_until(here, b"ISREADY")
        os.write(here, f"{line}\t\x14".encode())
        read_until(here, b"READ")
    finally:
        shell.kill()
        shell.wait()
        os.close(here)
        os.close(there)
    return (folder / "buffer").read_text()


def read_until(terminal: int, word: bytes) -> None:
    seen = b""
    while word not in seen:
        assert select.select([terminal], [], [], 60)[0], f"zsh does not answer: {seen!r}"
        seen += os.read(terminal, 4096)


@pytest.mark.skipif(ZSH is None, reason="there is no zsh")
def test_zsh_completes_commands_keys_files_and_names_of_sweeps(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").touch()
    expected = {
        "rothamsted expl": "rothamsted explain ",
        "rothamsted sweep replicates.cou": "rothamsted sweep replicates.count=",
        "rothamsted check digi": "rothamsted check digits.yaml ",
        "rothamsted explain confirm.k": "rothamsted explain confirm.keep ",
        "rothamsted status slo": "rothamsted status slow ",
        "rothamsted delete --y": "rothamsted delete --yes ",
        "rothamsted promote slow policy=digi": "rothamsted promote slow policy=digits.yaml ",
    }
    assert {line: completed_by_zsh(line, tmp_path) for line in expected} == expected


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_a_script_names_every_command_and_all_its_words(shell: str) -> None:
    text = script(shell, KEYS)
    for command in USAGES:
        assert command in text
        assert all(word in text for word in words_of(command, KEYS))


def test_an_unknown_shell_is_told_those_that_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rothamsted", "completion", "tcsh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no script for tcsh" in done.stderr
    assert "bash, zsh, fish" in done.stderr
