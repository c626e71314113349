"""The cache: made once, read afterwards, by one process at a time, under a name that tells its parameters apart."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from projects.files.problem import DataProblem
from projects.global_workspace.data.cache import FOLDER, cache_path, cached


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def never() -> dict[str, np.ndarray]:
    raise AssertionError("made again")


def make() -> dict[str, np.ndarray]:
    return {"rows": np.arange(3), "mse": np.asarray(0.25)}


def test_what_was_made_once_is_read_afterwards() -> None:
    cached("things", {"seed": 1}, make)
    assert cached("things", {"seed": 1}, never)["rows"].tolist() == [0, 1, 2]


def test_other_parameters_have_another_file() -> None:
    assert cache_path("things", {"seed": 1}) != cache_path("things", {"seed": 2})


def test_the_order_of_parameters_does_not_matter() -> None:
    assert cache_path("things", {"a": 1, "b": 2}) == cache_path("things", {"b": 2, "a": 1})


def test_a_description_lies_beside_the_file() -> None:
    cached("things", {"seed": 1}, make)
    text = cache_path("things", {"seed": 1}).with_suffix(".json").read_text()
    assert json.loads(text) == {"made_from": {"seed": 1}, "numbers": {"mse": 0.25}}


def test_two_that_want_the_same_wait_for_one_to_make_it() -> None:
    both_want_it, n_made = threading.Barrier(2), []

    def slow() -> dict[str, np.ndarray]:
        n_made.append(1)
        threading.Event().wait(0.2)  # long enough for the other to come to the lock
        return make()

    def want() -> None:
        both_want_it.wait()
        cached("things", {"seed": 1}, slow)

    threads = [threading.Thread(target=want) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(n_made) == 1


def test_a_failure_to_make_leaves_nothing_that_could_be_read() -> None:
    with pytest.raises(AssertionError, match="made again"):
        cached("things", {"seed": 1}, never)
    assert cached("things", {"seed": 1}, make)["rows"].tolist() == [0, 1, 2]


def test_a_damaged_file_is_named_with_the_way_out() -> None:
    cached("things", {"seed": 1}, make)
    path = cache_path("things", {"seed": 1})
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(
        DataProblem, match=rf"{path}: is damaged or of another kind .* remove it; it will be made " "again"
    ):
        cached("things", {"seed": 1}, never)


def test_a_folder_that_cannot_be_made_is_named() -> None:
    FOLDER.parent.write_text("a file in the way")
    with pytest.raises(DataProblem, match="cannot be written"):
        cached("things", {"seed": 1}, make)
