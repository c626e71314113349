"""Artifacts of measurements: handed on by the driver, refused where they break a rule, kept by a run by hand."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rothamsted.errors import StoreError, StudyError
from rothamsted.records import Ending, Measured, Outcome
from rothamsted.studies import ByHand, Checkpoint, run_by_hand
from rothamsted.studies.artifacts import artifacts_of
from rothamsted.studies.terminal import line
from rothamsted.tracking import find_runs
from tests.sketch import STUDY, Config, picture
from tests.studies.trainings import bits, run
from tests.toy import STUDY as TOY
from tests.toy import Config as ToyConfig


def kept(*configs: Config, **how: Any) -> tuple[list[Ending], list[tuple[int, int, dict[str, Any]]]]:
    """The endings of a training, and (member, step, contents) in the order in which they were handed on."""
    given: list[tuple[int, int, dict[str, Any]]] = []

    def keep(member: int, measured: Measured, contents: Any) -> None:
        given.append((member, measured.step, dict(contents)))

    return run(*configs, study=STUDY, on_artifacts=keep, **how), given


def only_folder(home: Path) -> Path:
    [found] = find_runs(None, {})
    return home / "mlruns" / found.experiment_id / found.run_id / "artifacts"


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# ---- the driver ----


def test_each_member_gets_its_own_artifacts_after_each_measurement() -> None:
    _, given = kept(Config(seed=3), Config(seed=5))
    assert [(member, step) for member, step, _ in given] == [(m, s) for s in (1, 2, 3) for m in (0, 1)]
    assert given[3][2] == {"samples/step_000002.txt": "seed 5, größer als 2\n", "pictures/last.png": picture(5, 2)}


def test_a_study_is_not_asked_for_artifacts_that_nobody_keeps() -> None:
    [ending] = run(Config(breaks="raises"), study=STUDY)
    assert ending.outcome is Outcome.FINISHED


def test_metrics_do_not_depend_on_whether_artifacts_are_kept() -> None:
    assert bits(kept(Config(seed=2))[0]) == bits(run(Config(seed=2), study=STUDY))


def test_a_study_without_artifacts_is_trained_as_ever() -> None:
    given: list[Any] = []
    [ending] = run(ToyConfig(), study=TOY, on_artifacts=lambda *one: given.append(one))
    assert (ending.outcome, given) == (Outcome.FINISHED, [])


def test_a_resumed_training_hands_on_the_artifacts_of_the_steps_that_follow(tmp_path: Path) -> None:
    checkpoint, asked = Checkpoint(folder=tmp_path / "c", every_seconds=0.0), iter([False, False, True])
    kept(Config(), checkpoint=checkpoint, should_stop=lambda: next(asked))  # before training, then after steps 1 and 2
    _, given = kept(Config(), checkpoint=checkpoint)
    assert [step for _, step, _ in given] == [3]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (path, "must be a relative path")
        for path in ("/etc/a.txt", "../a.txt", "a/../../b", "..", ".", "", "a//b", "a/", "C:\\a.txt", "a\\b", "a\nb")
    ]
    + [("metrics.csv", "is written by the engine"), ("traceback.txt", "is written by the engine")],
)
def test_an_artifact_that_would_leave_the_run_or_replace_a_file_of_the_engine_is_refused(path: str, rule: str) -> None:
    measurement: Any = SimpleNamespace(step=1, artifacts=lambda: [{path: "text"}])
    with pytest.raises(StudyError, match=f"measurement at step 1: artifacts: .* {rule}"):
        artifacts_of(measurement, 1)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ([{"a.txt": 1}], "'a.txt' must hold text or bytes, not int"),
        ([{1: "a"}], "1 must be a relative path"),
        ([], "a list with one mapping a member, 1, not 0"),
        ({"a": "b"}, "a list with one mapping a member, 1, not a value of type dict"),
        (None, "a list with one mapping a member, 1, not a value of type NoneType"),
        (["a"], "mappings of a path to its content, not str"),
    ],
)
def test_what_is_no_mapping_of_paths_to_contents_is_refused(given: Any, rule: str) -> None:
    measurement: Any = SimpleNamespace(step=1, artifacts=lambda: given)
    with pytest.raises(StudyError, match=rule):
        artifacts_of(measurement, 1)


@pytest.mark.parametrize(("breaks", "reason"), [("raises", "ValueError: no sample today"), ("user", "no sample today")])
def test_a_study_that_cannot_make_its_artifacts_has_failed(breaks: Any, reason: str) -> None:
    [ending], _ = kept(Config(breaks=breaks))
    assert (ending.outcome, ending.reason, len(ending.history)) == (Outcome.FAILED, reason, 1)


# ---- by hand ----


def test_a_run_by_hand_keeps_them_in_mlflow_and_beside_its_exports(home: Path) -> None:
    run_by_hand(STUDY, Config(seed=7), ByHand(output=home / "out"))
    own = {f"samples/step_{step:06d}.txt" for step in (1, 2, 3)} | {"pictures/last.png"}
    exports = {"metrics.csv", "metrics.json", "summary.json", "config.json", "loss.svg", "loss.png"}
    for folder, more in ((only_folder(home), {"origin.json", "environment.txt"}), (home / "out", set[str]())):
        assert files(folder) - own == exports | more
        assert (folder / "samples/step_000003.txt").read_bytes() == "seed 7, größer als 3\n".encode()
        assert (folder / "pictures/last.png").read_bytes() == picture(7, 3)


def test_losses_below_a_slash_are_drawn_and_summed_up(home: Path) -> None:
    import json

    run_by_hand(STUDY, Config(), ByHand(output=home / "out"))
    assert "train/loss" in (home / "out" / "loss.svg").read_text()
    smallest = json.loads((home / "out" / "summary.json").read_text())["smallest"]
    assert smallest["train/loss"] == {"step": 3, "value": 0.5**3 / 4}  # (1 - lr)^t / width


def test_the_terminal_shows_metrics_with_slashes_as_those_without() -> None:
    [ending] = run(Config(), study=STUDY)
    assert line(ending.history[-1]).startswith("step 3  epoch 3.00  train/loss 0.03125  validation/loss 0.0")


def test_a_run_that_is_not_saved_asks_for_none(home: Path) -> None:
    ending = run_by_hand(STUDY, Config(breaks="raises"), ByHand(is_saved=False))
    assert ending.outcome is Outcome.FINISHED


def test_an_artifact_that_cannot_be_a_file_fails_the_run_with_its_reason(home: Path) -> None:
    ending = run_by_hand(STUDY, Config(path="samples"))  # a file of the folder's name
    assert ending.outcome is Outcome.FAILED
    assert "artifact 'samples' cannot be written" in ending.reason
    [found] = find_runs(None, {})
    assert (found.status, found.tags["rothamsted.reason"]) == ("FAILED", ending.reason)


def test_a_store_that_is_away_for_a_while_loses_no_artifact(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from rothamsted.tracking import recorder as recorders

    real, n_calls = recorders.put_file, 0

    def sometimes_away(*given: Any) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls <= 2:
            raise StoreError("the store is away")
        real(*given)

    monkeypatch.setattr(recorders, "put_file", sometimes_away)
    with caplog.at_level(logging.WARNING):
        run_by_hand(STUDY, Config())
    assert {f"samples/step_{step:06d}.txt" for step in (1, 2, 3)} <= files(only_folder(home))
    assert caplog.text.count("the store is away") == 2
