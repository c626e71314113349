"""How large a population is: measured by time and memory with `auto`, and halved where it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rothamsted.errors import SpecError
from rothamsted.studies import Study
from rothamsted.studies.device_memory import DeviceMemory, device_memory, is_out_of_memory
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.worker.population_size import PopulationSize
from tests.sweeping.conftest import Project
from tests.sweeping.ending import ending, finish

GB = 10**9


def sizes_of(seconds_of_one: Callable[[int], float], gb_of_one: float, n_trained: int = 12) -> list[int]:
    """The sizes that a made device of 16 GB leads to; each replicate takes so much of it, and 1 GB is always gone."""
    peak = [GB]
    size = PopulationSize(wanted="auto", memory=lambda: DeviceMemory(peak=peak[0], total=16 * GB))
    found = []
    for _ in range(n_trained):
        found.append(n := size.size)
        peak[0] = max(peak[0], round(GB + n * gb_of_one * GB))
        size.trained(n, n * seconds_of_one(n))
    return found


def test_it_doubles_as_long_as_twice_the_memory_is_there() -> None:
    # By hand: 8 replicates of 0.5 GB and 1 GB take 5 GB; twice that is under 0.8 x 16 = 12.8 GB, so 16 come next,
    # which take 9 GB, and twice that is not there.
    assert sizes_of(lambda n: 1 / n, 0.5)[:7] == [1, 2, 4, 8, 16, 16, 16]


def test_it_stops_where_a_replicate_takes_no_less_time_in_a_larger_one() -> None:
    assert sizes_of(lambda n: 1 / min(n, 4), 0.001) == [1, 2, 4, 8, *[4] * 8]  # 8 were no faster than 4
    assert sizes_of(lambda n: 1.0, 0.001) == [1, 2, *[1] * 10]  # as on a CPU


def test_a_population_that_is_not_full_says_nothing() -> None:
    size = PopulationSize(wanted="auto", memory=lambda: DeviceMemory(peak=GB, total=16 * GB))
    size.trained(1, 1.0)
    assert size.size == 2
    size.trained(1, 9.0)  # the last of a group
    assert size.size == 2


def test_a_number_is_kept_until_it_does_not_fit() -> None:
    size = PopulationSize(wanted=12, memory=device_memory)
    size.trained(12, 1.0)
    assert size.size == 12
    size.does_not_fit(12)
    size.trained(6, 0.1)
    assert size.size == 6


def too_many(most: int, train: Any, tried: list[int], after: int) -> Any:
    """A study whose device holds so many members; more of them run out of memory after some measurements."""

    def limited(configs: Sequence[Any], state: Any = None) -> Iterator[Any]:
        tried.append(len(configs))
        for n, measurement in enumerate(train(configs, state)):
            if len(configs) > most and n >= after:
                raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 51539607552 bytes.")
            yield measurement

    return limited


@pytest.mark.parametrize(("population", "after"), [(6, 0), (6, 3), ("auto", 0)])
def test_what_runs_out_of_memory_is_halved_and_no_replicate_fails(
    project: Project, monkeypatch: pytest.MonkeyPatch, population: int | str, after: int
) -> None:
    finish(project, {"name": "straight"})
    if population == "auto":  # a replicate takes less time in a larger population, and memory is said to be there
        monkeypatch.setattr("rothamsted.sweeping.worker.population_size.WORTH", 1e9)
    opened = project.start({"execution": {"population": population, "checkpoint_every": 0.001}})
    assert isinstance(opened.study, Study)
    tried: list[int] = []
    study = replace(opened.study, train=too_many(2, opened.study.train, tried, after))
    events = project.work(replace(opened, study=study))
    assert {event["outcome"] for event in events if event["event"] == "end"} == {"finished"}
    said = [event["text"] for event in events if event["event"] == "note"]
    assert [text for text in said if "do not fit into memory together" in text]
    n_too_many = sum(n > 2 for n in tried)
    assert 1 <= n_too_many <= 2  # 6 and 3, or 4: after that it is known
    assert ending(project, "toys")["points"] == ending(project, "straight")["points"]
    assert not list((project.root / "checkpoints").rglob("*.safetensors"))


def test_what_is_out_of_memory_is_known_by_its_kind() -> None:
    class OutOfMemoryError(RuntimeError):  # as torch calls its own
        pass

    short = [MemoryError(), OutOfMemoryError("CUDA out of memory."), RuntimeError("RESOURCE_EXHAUSTED: Out of memory")]
    behind = RuntimeError("training failed")
    behind.__cause__ = MemoryError()
    assert all(map(is_out_of_memory, [*short, behind]))
    assert not is_out_of_memory(RuntimeError("a memory of old times"))


def test_without_a_gpu_main_memory_is_measured() -> None:
    found = device_memory()
    assert 0 < found.peak < found.total


def test_auto_goes_with_studies_only_and_other_words_are_refused(project: Project) -> None:
    sweep, _ = load(project.write({"execution": {"population": "auto"}}), {}, project.root)
    assert sweep.execution.population == "auto"
    with pytest.raises(SpecError, match="whole number from 1 to 100000, or auto"):
        load(project.write({"execution": {"population": "many"}}), {}, project.root)
    foreign = {"study": None, "project": ".", "entry_point": "main", "execution": {"population": "auto"}}
    with pytest.raises(SpecError, match="is only for study"):
        load(project.write(foreign), {}, project.root)
