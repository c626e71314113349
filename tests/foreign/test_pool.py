"""Pre-imported processes: they behave as fresh ones, and are refused where they might not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rothamsted.foreign.imports import imports_of_file
from rothamsted.foreign.pool import Pool
from rothamsted.foreign.process import Launch

from .conftest import Run

SCRIPTS = {"module": ["python", "-m", "lib.what_it_is"], "file": ["python", "what_it_is.py"]}


@pytest.fixture
def open_pool(stranger: Path) -> Iterator[Callable[..., Pool | str]]:
    opened: list[Pool] = []

    def new(command: list[str], folder: Path = stranger, **environment: str) -> Pool | str:
        pool = Pool.open(folder, command, {**os.environ, **environment})
        if isinstance(pool, Pool):
            opened.append(pool)
        return pool

    yield new
    for pool in opened:
        pool.close()


@pytest.mark.parametrize("kind", sorted(SCRIPTS))
def test_a_forked_process_sees_what_a_fresh_one_sees(kind: str, run: Run, open_pool: Callable[..., Pool]) -> None:
    # Authority: the same script in a process that Python itself starts.
    script = SCRIPTS[kind]
    pool = open_pool([*script, "any"], A_SETTING="1")
    for how in ("exit 0", "exit 3", "exit text", "raise", "kill"):
        mine = {"MLFLOW_RUN_ID": f"run of {how}", "A_SETTING": "1"}
        fresh = run([*script, how, "an argument"], **mine)
        forked = run([*script, how, "an argument"], starter=pool.start, **mine)
        assert (forked.code, forked.tail) == (fresh.code, fresh.tail)
        assert json.loads(forked.tail.splitlines()[0])["environment"]["MLFLOW_RUN_ID"] == f"run of {how}"


def test_torch_and_numpy_give_a_fresh_processs_numbers(run: Run, open_pool: Callable[..., Pool]) -> None:
    command = ["python", "numbers_of_torch.py", "3"]
    pool = open_pool(command)
    fresh, first, second = (json.loads(run(command, **how).tail) for how in ({}, *[{"starter": pool.start}] * 2))
    assert first["seeded"] == second["seeded"] == fresh["seeded"]
    # What nothing seeds differs from process to process, as it does between fresh ones.
    assert all(len({one["free"][k] for one in (fresh, first, second)}) == 3 for k in range(2))


def test_it_is_the_pool_that_forks_and_only_its_own_script_and_environment(
    launch: Callable[..., Launch], open_pool: Callable[..., Pool]
) -> None:
    pool = open_pool(["python", "what_it_is.py"])
    for command, environment, is_forked in (
        (["python", "what_it_is.py", "exit 0"], {}, True),
        (["python", "what_it_is.py", "exit 0"], {"MLFLOW_RUN_ID": "other"}, True),
        (["python", "what_it_is.py", "exit 0"], {"OMP_NUM_THREADS": "7"}, False),
        (["python", "arguments.py"], {}, False),
    ):
        running = pool.start(launch(command, **environment))
        assert running.wait(20) == 0
        assert (running.keeper_process is None) == is_forked


def test_a_pool_that_has_died_gives_plain_processes(run: Run, open_pool: Callable[..., Pool]) -> None:
    pool = open_pool(["python", "arguments.py"])
    pool.zygote.kill()
    pool.zygote.wait()
    assert json.loads(run(["python", "arguments.py", "a"], starter=pool.start).tail) == ["a"]


REFUSED = {
    "import a_thread": "starts a thread of Python's",
    "import native_threads": "which a fork would lose",
    "import not_there": "ModuleNotFoundError: No module named 'not_there'",
    "import runs_project": "ran the project's own module own",
    "def (": "SyntaxError",
}


@pytest.mark.parametrize("line", sorted(REFUSED))
def test_where_a_fork_is_not_safe_the_reason_is_said(
    line: str, stranger: Path, tmp_path: Path, open_pool: Callable[..., Pool | str]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    (outside / "a_thread.py").write_text(thread)
    # Threads that Python does not know of: OpenMP's, after a computation with two of them.
    torch = "import torch\ntorch.set_num_threads(2)\ntorch.ones(10**6).exp()\n"
    (outside / "native_threads.py").write_text(torch)
    (outside / "runs_project.py").write_text("import own\n")
    (stranger / "own.py").write_text("")
    (stranger / "script.py").write_text(f"{line}\n")
    reason = open_pool(["python", "script.py"], PYTHONPATH=str(outside))
    assert isinstance(reason, str)
    assert REFUSED[line] in reason
    assert "\n" not in reason


def test_mlflow_does_not_make_a_pool_load_polars_which_starts_a_thread(
    stranger: Path, run: Run, open_pool: Callable[..., Pool | str]
) -> None:
    pytest.importorskip("polars")
    (stranger / "script.py").write_text(
        "import mlflow\nimport sys\nahead = 'polars' in sys.modules\n"
        "def late():\n    from mlflow.data.polars_dataset import from_polars\n    return from_polars.__name__\n"
        "print(ahead, late())\n"
    )
    pool = open_pool(command := ["python", "script.py"])
    assert isinstance(pool, Pool), pool
    assert run(command, starter=pool.start).tail.strip() == "False from_polars"
    (stranger / "script.py").write_text("import polars\n")
    reason = open_pool(command)
    assert isinstance(reason, str)
    assert "which a fork would lose" in reason


@pytest.mark.parametrize("command", [["bash", "train.sh"], ["python", "-c", "1"], ["python", "-u", "train.py"], ["ls"]])
def test_what_is_no_python_script_has_no_pool(command: list[str], open_pool: Callable[..., Pool | str]) -> None:
    assert isinstance(open_pool(command), str)


def test_imports_are_read_in_order_up_to_the_first_statement_that_could_change_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By hand: own.py is followed where it is imported; the assignment to os.environ ends the walk.
    (tmp_path / "own.py").write_text("import csv\nLOGGER = __import__\n\ndef f():\n    import wave\n")
    script = tmp_path / "script.py"
    script.write_text(
        '"""Text."""\nimport json.decoder\nimport own\n'
        "try:\n    from email import message\nexcept ImportError:\n    pass\n"
        'X = 1\nimport os\nos.environ["A"] = "1"\nimport numpy\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [(item.module, item.names, item.is_optional) for item in imports_of_file(script, tmp_path)]
    assert found == [
        ("json.decoder", (), False),
        ("csv", (), False),
        ("email", ("message",), True),
        ("os", (), False),
    ]
