"""The verdict in the sweep's report: written when it is made, kept by every report that comes after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from rothamsted.cli.main import main
from rothamsted.errors import StoreError
from rothamsted.promotion.judge.policy_file import load_policy
from rothamsted.promotion.ledger.decision import PromotionOutcome
from rothamsted.publish.pages import REPORT
from rothamsted.publish.verdicts import publish_verdicts
from rothamsted.tracking import read_text
from tests.promotion.store import DATA, log_sweep, policy
from tests.reporting.reading import Page

Promote = Callable[..., PromotionOutcome]


def report(uri: str, run_id: str) -> str:
    """The report of a sweep; empty where there is none."""
    return read_text(run_id, REPORT, uri=uri) or ""


def section(uri: str, run_id: str) -> str:
    """What the report says of promotion."""
    return Page(report(uri, run_id)).text("promotion")


@pytest.fixture
def judged_twice(uri: str, promoting: Promote, first_stands: None) -> str:
    """The run of a sweep that was judged against version 1, on other seeds the second time."""
    run_id = log_sweep(uri, "second", [0.7])
    promoting("second", policy(), report=publish_verdicts)
    promoting("second", policy(), report=publish_verdicts, n_replicates=7)
    return run_id


def test_a_verdict_is_in_the_sweep_s_report(uri: str, promoting: Promote, first_stands: None) -> None:
    run_id = log_sweep(uri, "second", [0.3])
    reason = promoting("second", policy(), report=publish_verdicts).decided[0].reasons[0]
    found = section(uri, run_id)
    assert "toy, version 2: promoted (against version 1)" in found
    assert " ".join(reason.split()) in found
    assert f"Data digest {DATA}" in found
    assert "Shared seeds 5: 105, 106, 107, 108 and 109" in found


def test_the_numbers_of_the_section_are_those_of_the_artifact(judged_twice: str, uri: str) -> None:
    # Authority: the artifact, which the verdict itself wrote, rounded to the report's digits.
    difference = json.loads(read_text(judged_twice, "promotion/toy-2.json", uri=uri) or "")["verdict"]["difference"]
    first = section(uri, judged_twice).rpartition("Difference in val_loss ")[2].replace("−", "-")
    value, low, high = (float(one.strip("[,] ")) for one in first.split()[:3])
    assert (value, low, high) == pytest.approx(tuple(difference[key] for key in ("estimate", "low", "high")), rel=0.01)


def test_every_verdict_on_record_is_there_the_newest_first(judged_twice: str, uri: str) -> None:
    found = Page(report(uri, judged_twice))
    assert [given["id"] for tag, given in found.elements if tag == "h3"] == ["verdict-toy-2-2", "verdict-toy-2-1"]
    assert "Shared seeds 7: " in found.text("promotion")


@pytest.mark.parametrize("command", ["report", "analyze"])
def test_a_report_that_is_written_later_keeps_the_section(
    command: str, judged_twice: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = section(uri, judged_twice)
    assert main([command, "--sweep", "second", "--plots", "outcomes"]) == 0
    assert (section(uri, judged_twice), before.count("Judged")) == (before, 2)


def test_a_dry_run_leaves_no_report(uri: str, promoting: Promote, first_stands: None) -> None:
    run_id = log_sweep(uri, "second", [0.3])
    promoting("second", policy(), dry_run=True, report=publish_verdicts)
    assert report(uri, run_id) == ""


def test_a_dry_run_leaves_a_report_as_it_is(judged_twice: str, uri: str, promoting: Promote) -> None:
    before = report(uri, judged_twice)
    promoting("second", policy(), dry_run=True, n_replicates=9, report=publish_verdicts)
    assert report(uri, judged_twice) == before


def test_a_promotion_that_was_killed_before_its_report_writes_it_when_it_is_given_again(
    uri: str, promoting: Promote, first_stands: None
) -> None:
    run_id = log_sweep(uri, "second", [0.3])
    promoting("second", policy())  # the fixture's promotion ends before the report
    assert report(uri, run_id) == ""
    assert promoting("second", policy(), report=publish_verdicts).was_champion
    assert "toy, version 2: promoted" in section(uri, run_id)


def test_a_report_that_cannot_be_written_is_said_and_takes_nothing_back(
    uri: str, promoting: Promote, first_stands: None
) -> None:
    def fails(*_: Any, uri: str) -> None:
        raise StoreError(f"store {uri}: no space left")

    log_sweep(uri, "second", [0.3])
    said: list[str] = []
    assert promoting("second", policy(), report=fails, say=said.append).champion_after == "2"
    assert "the report of sweep second was not written again: store" in said[0]


def test_the_policy_s_file_is_on_record(uri: str, promoting: Promote, tmp_path: Path, first_stands: None) -> None:
    (tmp_path / "registry").mkdir()
    text = "model: toy\nstudy: toy\nobjective: {metric: val_loss, direction: minimize}\nreplicates: 5\n"
    (tmp_path / "registry" / "toy.yaml").write_text(text)
    run_id = log_sweep(uri, "second", [0.7])
    promoting("second", load_policy(tmp_path / "registry" / "toy.yaml", tmp_path), report=publish_verdicts)
    assert "Policy registry/toy.yaml" in section(uri, run_id)


def test_a_record_of_the_first_form_which_does_not_name_the_policy_s_file_is_shown(
    judged_twice: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = json.loads(read_text(judged_twice, "promotion/toy-2.json", uri=uri) or "")
    del content["policy_file"]
    MlflowClient(uri).log_text(judged_twice, json.dumps(content), "promotion/toy-2.json")
    assert main(["report", "--sweep", "second", "--plots", "outcomes"]) == 0
    assert "Policy its file is not on record" in section(uri, judged_twice)


def test_an_artifact_that_is_no_verdict_is_refused_with_its_name(
    judged_twice: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    MlflowClient(uri).log_text(judged_twice, '{"model": "toy"}', "promotion/notes.json")
    assert main(["report", "--sweep", "second"]) == 2
    err = capsys.readouterr().err
    assert "artifact promotion/notes.json: is not a verdict of promote (KeyError: 'verdict'); remove it" in err
    assert err.count("\n") == 1
