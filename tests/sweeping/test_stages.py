"""Stages: what goes on, from where, what is left on disk, and what is refused before anything is created."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from scipy import stats

from rothamsted import tags
from rothamsted.errors import SpecError, StoreError, UserError
from rothamsted.search import find_search
from rothamsted.studies import Study, drive
from rothamsted.sweeping.open.from_file import find_target, load
from rothamsted.sweeping.phases.follow_up import keep
from rothamsted.sweeping.stage import first_stage
from rothamsted.tracking import find_runs, read_history
from tests.analysis.runs import dataset
from tests.sweeping.conftest import Project, toy_project
from tests.sweeping.in_this_process import in_this_process, use
from tests.sweeping.staging import NOT_COMPARED, STAGED, Told, curves, replicates, run, states, sweep_run


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose sweeps are run by a worker in this process."""
    use(monkeypatch, in_this_process)
    return project


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished chain: what it said, and what lay on disk after each of its stages."""

    project: Project
    told: Told
    states: list[list[str]]
    curves: dict[tuple[str, str], list[tuple[str, int, float]]]


def around(mean: float, half: float) -> list[float]:
    """Three values with this mean, whose 95 % interval (scipy's t) reaches so far to each side."""
    d = half * math.sqrt(3) / float(stats.t.ppf(0.975, 2))
    return [mean - d, mean, mean + d]


# By hand: by mean 0, 1, 2; by the upper end 1 (1.5), 2 (1.6), 0 (5); 3 has one replicate and so no interval. Without
# seeds: 3 did not lose any.
FOUR = {0: around(1.0, 4.0), 1: around(1.1, 0.4), 2: around(1.2, 0.4), 3: [0.9]}


@pytest.mark.parametrize(
    ("by", "direction", "kept"),
    [
        ("mean", "minimize", [3, 0, 1]),
        ("interval", "minimize", [1, 2, 0]),
        ("mean", "maximize", [2, 1, 0]),
        ("interval", "maximize", [2, 1, 0]),  # by the lower end: 0.8, 0.7, -3
    ],
)
def test_the_best_go_on_by_their_mean_or_by_the_worse_end_of_its_interval(
    by: str, direction: str, kept: list[int]
) -> None:
    found = dataset(FOUR, direction=direction, has_seeds=False)
    assert [one.number for one in keep(found, 3, by=by, level=0.95)] == kept


@pytest.mark.parametrize("by", ["mean", "interval"])
def test_what_a_race_dropped_goes_on_last_however_good_it_looked(by: str) -> None:
    raced = dataset({0: around(0.1, 0.05), 1: FOUR[1], 2: FOUR[2]}, dropped_after={0: 3})
    assert [one.number for one in keep(raced, 3, by=by, level=0.95)] == [1, 2, 0]


def test_by_the_interval_too_the_pareto_set_goes_on_first() -> None:
    # By hand: 0 (1.0, 2.0) and 1 (1.1, 1.0) beat each other in one objective; 2 (1.2, 3.0) is beaten by both, although
    # the upper end of its interval is the lowest.
    first = {0: around(1.0, 1.0), 1: around(1.1, 0.2), 2: around(1.2, 0.05)}
    cost = {0: [2.0] * 3, 1: [1.0] * 3, 2: [3.0] * 3}
    found = dataset(first, others={"cost": ("minimize", cost)})
    assert [one.number for one in keep(found, 3, by="interval", level=0.95)] == [1, 0, 2]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Finished]:
    """A staged sweep that has run to its end, for the tests that only look at it."""
    folder = tmp_path_factory.mktemp("staged")
    with toy_project(folder) as project, pytest.MonkeyPatch.context() as monkeypatch:
        new_mlflow(folder)
        use(monkeypatch, in_this_process)
        seen: list[list[str]] = []
        told = run(project, on_after=lambda: seen.append(states(project, "toys")))
        yield Finished(project=project, told=told, states=seen, curves=curves(project, "toys.stage2"))


def test_the_best_go_on_best_first_on_the_same_seeds(finished: Finished) -> None:
    assert (finished.told.result.exit_status, finished.told.after) == (0, ["toys", "toys.stage2"])
    later = replicates(finished.project, "toys.stage2")
    # By hand, as said at STAGED: 0.8 and 0.4.
    assert {place: run.params["lr"] for place, run in later.items()} == {
        ("0", "0"): "0.8",
        ("0", "1"): "0.8",
        ("1", "0"): "0.4",
        ("1", "1"): "0.4",
    }


def test_training_that_goes_on_ends_with_the_bits_of_a_full_one_and_says_from_where(finished: Finished) -> None:
    study = find_target(finished.told.result.sweep, finished.project.root)
    assert isinstance(study, Study)
    for place, found in replicates(finished.project, "toys.stage2").items():
        assert found.tags[tags.RESUMED_FROM_STEP] == "8"
        # Authority: the study's own training from scratch, without the engine.
        config = study.config(lr=float(found.params["lr"]), seed=int(place[1]), steps=20, n_points=10)
        [ending] = drive(study, [config], on_measurement=lambda member, measured: None)
        alone = sorted(
            (name, measured.step, value)
            for measured in ending.history
            for name, value in measured.metrics.items()
            if name not in NOT_COMPARED
        )
        assert [point for point in finished.curves[place] if point[0] != "objective"] == alone  # each step once


def test_the_first_steps_are_those_of_the_stage_before_and_were_not_trained_again(finished: Finished) -> None:
    # The times of day of the measurements up to step 8 are those of the first stage, in which 0.8 is trial 3.
    times = []
    for name, trial in (("toys", "3"), ("toys.stage2", "0")):
        one = replicates(finished.project, name)[trial, "1"]
        points = read_history([one.run_id], uri=finished.project.tracking_uri)[one.run_id]
        times.append([p.timestamp_ms for p in points if p.key == "val_loss" and p.step <= 8])
    assert len(times[0]) == 4
    assert times[0] == times[1]


def test_a_later_stage_is_a_sweep_below_the_first_ones_run(finished: Finished) -> None:
    first, second = (sweep_run(finished.project, name) for name in ("toys", "toys.stage2"))
    assert second.tags["mlflow.parentRunId"] == second.tags[tags.STAGE_OF] == first.run_id
    assert (first.tags[tags.NEXT_SWEEP], tags.NEXT_SWEEP in second.tags) == ("toys.stage2", False)
    assert {first.status, second.status} == {"FINISHED"}
    trials = find_runs(None, {tags.ROLE: "trial", tags.SWEEP: "toys.stage2"}, uri=finished.project.tracking_uri)
    assert {trial.tags["mlflow.parentRunId"] for trial in trials} == {second.run_id}
    assert "Stage 2 of sweep toys" in second.tags["mlflow.note.content"]


def test_states_lie_on_disk_only_as_long_as_a_stage_can_need_them(finished: Finished) -> None:
    # By hand: 4 conditions x 2 replicates after the first stage; nothing after the second.
    assert finished.states == [["0-0", "0-1", "1-0", "1-1", "2-0", "2-1", "3-0", "3-1"], []]
    assert [path for path in (finished.project.root / "checkpoints").rglob("*") if path.is_file()] == []


FROM_SCRATCH: dict[str, dict[str, Any]] = {
    "resume: false": {"stages": [STAGED["stages"][0], {**STAGED["stages"][1], "resume": False}]},
    "a population has no state of one replicate": {"execution": {**STAGED["execution"], "population": 2}},
    "not longer": {"stages": [{"parameters": {"steps": 24, "n_points": 12}}, STAGED["stages"][1]]},
}


@pytest.mark.parametrize("why", FROM_SCRATCH)
def test_where_training_does_not_go_on_it_starts_from_scratch_and_ends_alike(
    here: Project, finished: Finished, why: str
) -> None:
    told = run(here, FROM_SCRATCH[why])
    assert told.result.exit_status == 0
    later = replicates(here, "toys.stage2")
    assert [one for one in later.values() if tags.RESUMED_FROM_STEP in one.tags] == []
    assert curves(here, "toys.stage2") == finished.curves


def test_seeds_that_the_stage_before_did_not_have_start_from_scratch(here: Project) -> None:
    run(here, {"stages": [STAGED["stages"][0], {**STAGED["stages"][1], "keep": 1, "replicates": 3}]})
    steps = {seed: one.tags.get(tags.RESUMED_FROM_STEP) for (_, seed), one in replicates(here, "toys.stage2").items()}
    assert steps == {"0": "8", "1": "8", "2": None}


def test_three_stages_after_a_race_each_go_on_from_the_one_before(here: Project) -> None:
    stages = [
        {"parameters": {"steps": 8, "n_points": 4}},
        {"keep": 3, "by": "interval", "replicates": 2, "parameters": {"steps": 12, "n_points": 6}},
        {"keep": 1, "replicates": 3, "parameters": {"steps": 20, "n_points": 10}},
    ]
    changes = {"stages": stages, "replicates": {"racing": {"min": 2, "max": 4}}}
    told = run(here, {**changes, "confirm": {"keep": 1, "replicates": 2}})
    assert told.after == ["toys", "toys.stage2", "toys.stage3"]
    second, third = replicates(here, "toys.stage2"), replicates(here, "toys.stage3")
    assert {run.tags[tags.RESUMED_FROM_STEP] for run in second.values()} == {"8"}
    # By hand: the race has seeds 0 to 3, the second stage 0 and 1, the third 0 to 2; fresh ones come after the race's.
    of_stage = {s: r.tags.get(tags.RESUMED_FROM_STEP) for (_, s), r in third.items() if r.tags[tags.PHASE] == "search"}
    assert of_stage == {"0": "12", "1": "12", "2": None}
    fresh = {seed for (_, seed), one in third.items() if one.tags[tags.PHASE] == "confirm"}
    assert fresh == {"4", "5"}
    assert sweep_run(here, "toys.stage3").tags[tags.STAGE_OF] == sweep_run(here, "toys").run_id
    assert states(here, "toys.stage2") == []


def test_a_winner_is_confirmed_in_the_last_stage_on_seeds_fresh_to_all(here: Project) -> None:
    stages = [STAGED["stages"][0], {**STAGED["stages"][1], "replicates": {"seeds": [0, 7]}}]
    run(here, {"stages": stages, "confirm": {"keep": 1, "replicates": 2}, "models": "confirmed"})
    confirmed = find_runs(None, {tags.PHASE: "confirm", tags.ROLE: "replicate"}, uri=here.tracking_uri)
    # By hand: stages have seeds 0, 1 and 0, 7, so the first fresh ones are 8 and 9; the winner is 0.8.
    assert {(r.tags[tags.SWEEP], r.tags[tags.SEED], r.params["lr"]) for r in confirmed} == {
        ("toys.stage2", "8", "0.8"),
        ("toys.stage2", "9", "0.8"),
    }
    assert [r for r in confirmed if tags.RESUMED_FROM_STEP in r.tags] == []


def test_without_a_score_there_is_no_later_stage(here: Project) -> None:
    told = run(here, {"parameters": {"fail": True}})
    assert told.result.exit_status == 1
    assert "No condition has a score" in told.text
    assert find_search(here.storage, "toys.stage2") is None


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no longer training": (
        {
            "stages": [
                {"parameters": {"steps": 30}},
                {"keep": 2, "parameters": {"steps": 20}, "resume": True},
            ]
        },
        "is not the same training, only longer",
    ),
    "other parameters": (
        {"stages": [{"parameters": {"steps": 8, "x": 0.5}}, {"keep": 2, "parameters": {"steps": 20}, "resume": True}]},
        "stages[1].resume",
    ),
    "a population": (
        {
            "stages": [STAGED["stages"][0], {**STAGED["stages"][1], "resume": True}],
            "execution": {"population": 2},
        },
        "population: 1",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_training_that_must_go_on_and_cannot_is_refused_before_anything_is_created(
    empty_project: Project, what: str
) -> None:
    changes, says = REFUSED[what]
    before = sorted(path.name for path in empty_project.root.iterdir())
    with pytest.raises(SpecError) as caught:
        run(empty_project, changes)
    assert (says in str(caught.value), "\n" in str(caught.value)) == (True, False), str(caught.value)
    assert sorted({path.name for path in empty_project.root.iterdir()} - {"sweep.yaml"}) == before


def test_a_study_that_never_goes_on_refuses_a_stage_that_must(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = empty_project.root / "projects" / "toy" / "__init__.py"
    source.write_text(source.read_text().replace("    extends=is_longer,\n", ""))
    with pytest.raises(SpecError, match=r"stages\[1\]\.resume: study 'toy' cannot go on from a shorter training"):
        run(empty_project, {"stages": [STAGED["stages"][0], {**STAGED["stages"][1], "resume": True}]})


@pytest.mark.parametrize("name", ["toys.stage2", "toys.stage2.confirm"])
def test_a_name_that_a_later_stage_needs_and_another_sweep_has_is_refused(here: Project, name: str) -> None:
    confirm = {"confirm": {"keep": 1, "replicates": 2}}
    here.start({"name": "toys.stage2", **confirm})
    for other in {"toys.stage2", "toys.stage2.confirm"} - {name}:
        optuna.delete_study(study_name=other, storage=here.storage)
    with pytest.raises(StoreError, match="a name that stage 2 of this sweep needs") as caught:
        run(here, confirm)
    assert f"'{name}'" in str(caught.value)
    assert find_search(here.storage, "toys") is None
    assert find_runs(None, {tags.SWEEP: "toys"}, uri=here.tracking_uri) == []


def test_data_that_only_a_later_stage_needs_are_looked_for_before_the_first(empty_project: Project) -> None:
    source = empty_project.root / "projects" / "toy" / "__init__.py"
    digest = '    return hashlib.sha256(b"0.5 * (w - 1)^2").hexdigest()\n'
    missing = '    if config.steps == 20:\n        raise ToyError("toy data are missing")\n'
    source.write_text(source.read_text().replace(digest, missing + digest))
    with pytest.raises(Exception, match="toy data are missing"):
        run(empty_project)
    assert not (empty_project.root / "optuna.db").exists()


def test_stages_cannot_change_once_they_have_begun(here: Project) -> None:
    here.start(STAGED)
    with pytest.raises(UserError, match=r"started before with other contents: stages"):
        run(here, {"stages": [STAGED["stages"][0], {**STAGED["stages"][1], "keep": 3}]})


def test_models_of_the_confirmed_belong_to_the_last_stage(project: Project) -> None:
    path = project.write({**STAGED, "confirm": {"keep": 1, "replicates": 2}, "models": "confirmed"})
    sweep, _ = load(path, {}, project.root)
    assert (first_stage(sweep).models, first_stage(sweep).confirm) == (None, None)
