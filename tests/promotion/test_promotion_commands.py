"""The commands promote, rollback and registry: what they print, and their exit status."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rothamsted import promoting
from rothamsted.cli.main import main
from rothamsted.studies import source_code as code
from rothamsted.sweeping.opened import Place
from rothamsted.tracking.registry.registered import ModelRegistry
from tests.promotion.store import CODE, POLICY, ByHand, log_sweep

MLPROJECT = 'name: toys\nentry_points:\n  toy:\n    command: "python -m projects.toy"\n'


@pytest.fixture
def project(uri: str, contest: ByHand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one policy, where contests are logged by hand and the code has not changed."""
    (tmp_path / "MLproject").write_text(MLPROJECT)
    (tmp_path / "registry").mkdir()
    write_policy(tmp_path, {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def by_hand(place: Place, **asked: Any) -> list[list[str]]:
        for mine in ("work", "models"):
            asked.pop(mine)
        return contest(**asked)

    monkeypatch.setattr(promoting, "contest", by_hand)
    monkeypatch.setattr(code, "code_digest", lambda study, root: CODE)
    return tmp_path


def write_policy(root: Path, changes: Mapping[str, Any], name: str = "toy.yaml") -> None:
    (root / "registry" / name).write_text("# Question: is it better?\n" + yaml.safe_dump({**POLICY, **changes}))


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What a command prints: on standard output, or as its one line of error."""
    assert main(arguments) == status
    captured = capsys.readouterr()
    if status not in (0, 3):  # 3: not promoted, which is a result
        assert captured.err.count("\n") == 1
        return captured.err
    return captured.out


@pytest.mark.usefixtures("project")
def test_promote_says_the_decision_and_who_is_champion(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    log_sweep(uri, "first", [0.5])
    out = said(capsys, "promote", "--sweep", "first")
    assert "promoted: lr=0.5 (version 1)\n  Promoted: there is no champion" in out
    assert "champion of toy: version 1, was none" in out


@pytest.mark.usefixtures("project", "first_stands")
def test_promote_holds_a_contest_where_there_is_a_champion(
    uri: str, contest: ByHand, capsys: pytest.CaptureFixture[str]
) -> None:
    log_sweep(uri, "second", [0.3])
    out = said(capsys, "promote", "--sweep", "second", "--replicates", "6")
    assert len(contest.held[0]["seeds"]) == 6
    assert "champion of toy: version 2, was version 1" in out


@pytest.mark.usefixtures("project", "first_stands")
def test_a_verdict_against_the_challenger_is_no_mistake(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    log_sweep(uri, "second", [0.7])
    out = said(capsys, "promote", "--sweep", "second", status=3)  # not promoted
    assert "kept: lr=0.7 (version 2)" in out
    assert "champion of toy: version 1, as before" in out


@pytest.mark.usefixtures("project", "first_stands")
def test_a_dry_run_says_so_and_registers_nothing(
    uri: str, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    log_sweep(uri, "second", [0.3])
    assert "dry run, nothing is written" in said(capsys, "promote", "--sweep", "second", "--dry_run", "true")
    assert len(registry.versions("toy")) == 1


@pytest.mark.usefixtures("project", "first_stands")
def test_promoting_the_champion_s_sweep_again_says_that_nothing_is_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is champion already; nothing to do" in said(capsys, "promote", "--sweep", "first")


def test_a_policy_that_is_named_is_the_one_that_judges(
    uri: str, project: Path, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    write_policy(project, {"model": "other"}, "other.yaml")
    log_sweep(uri, "first", [0.5])
    said(capsys, "promote", "--sweep", "first", "--policy", "registry/other.yaml")
    assert registry.model_names() == ["other"]


def test_several_policies_for_one_study_are_refused_with_their_names(
    uri: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_policy(project, {"model": "other"}, "other.yaml")
    log_sweep(uri, "first", [0.5])
    err = said(capsys, "promote", "--sweep", "first", status=2)
    assert "registry/other.yaml, registry/toy.yaml; say which one: policy=FILE" in err


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["promote"], "which sweep? give sweep=NAME"),
        (["promote", "--sweep", "other"], "there is no sweep called 'other'"),
        (["promote", "--sweep", "first", "--dry_run", "yes"], "dry_run=yes must be true or false"),
        (["promote", "--sweep", "first", "--model", "toy"], "unknown keys model; known: sweep, policy, dry_run"),
        (["promote", "--sweep", "first", "--replicates", "many"], "replicates=many is not a whole number"),
        (["promote", "--sweep", "first", "--policy", "none.yaml"], "none.yaml: there is no such file"),
        (["rollback"], "which model? give model=NAME"),
        (["rollback", "--model", "other"], "no registered model is called 'other'; there are: toy"),
        (["rollback", "--model", "toy"], "no version has the alias previous_champion"),
        (["registry"], "which model? give model=NAME; there are: toy"),
        (["registry", "--model", "other"], "no registered model is called 'other'; there are: toy"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(
    first_stands: None, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in said(capsys, *arguments, status=2)


@pytest.mark.usefixtures("project", "second_stands")
def test_rollback_says_who_is_champion_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "rollback", "--model", "toy", "--reason", "it is slow")
    assert "toy: champion is version 1 again, was version 2; reason: it is slow." in out


@pytest.mark.usefixtures("project", "second_stands")
def test_registry_prints_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "registry", "--model", "toy")
    assert "Versions of toy" in out
    assert "promoted against version 1" in out


def test_the_aliases_are_those_of_the_model_s_policy(
    project: Path, second_stands: None, capsys: pytest.CaptureFixture[str]
) -> None:
    write_policy(project, {"aliases": {"champion": "live", "previous": "before"}})
    assert "no version has the alias live" in said(capsys, "rollback", "--model", "toy", status=2)
