"""Verdicts signed with a key of the environment, and policies from elsewhere: what is said of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from rothamsted.promotion.evidence.signature import SIGNED, SIGNING_KEY
from rothamsted.promotion.judge.earlier_verdicts import PREFIX
from tests.promotion.store import POLICY, log_sweep
from tests.promotion.test_promotion_commands import project, said  # noqa: F401  (a fixture)

KEY = "a key that only the promoting job has"


@pytest.fixture
def client(
    request: pytest.FixtureRequest, uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> MlflowClient:
    """The registry with one signed verdict."""
    request.getfixturevalue("project")
    monkeypatch.setenv(SIGNING_KEY, KEY)
    log_sweep(uri, "first", [0.5])
    out = said(capsys, "promote", "--sweep", "first")
    assert KEY not in out
    return MlflowClient(uri)


def alter(client: MlflowClient) -> None:
    """Change the words of a verdict by hand, as who may write to the store can."""
    verdict = json.loads(client.get_model_version("toy", "1").tags[f"{PREFIX}001"])
    client.set_model_version_tag(
        "toy", "1", f"{PREFIX}001", json.dumps({**verdict, "reasons": ["Promoted: so it is."]})
    )


def test_a_verdict_is_signed_by_hmac_sha256_over_its_json(client: MlflowClient) -> None:
    version = client.get_model_version("toy", "1")
    verdict = {**json.loads(version.tags[f"{PREFIX}001"]), "number": 1}
    of = {"model": "toy", "version": "1", "source": version.source, "evidence": version.tags["rothamsted.evidence.key"]}
    text = json.dumps({**of, "verdict": verdict}, sort_keys=True, separators=(",", ":"))
    assert version.tags[f"{SIGNED}001"] == hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_registry_says_of_each_verdict_whether_its_signature_is_right(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "version 1, verdict 1: its signature is right" in said(capsys, "registry", "--model", "toy")
    monkeypatch.delenv(SIGNING_KEY)
    assert f"is signed, and not checked: set {SIGNING_KEY}" in said(capsys, "registry", "--model", "toy")
    monkeypatch.setenv(SIGNING_KEY, "another key")
    assert "its signature is wrong" in said(capsys, "registry", "--model", "toy")
    monkeypatch.setenv(SIGNING_KEY, KEY)
    alter(client)
    assert "its signature is wrong: the verdict was changed" in said(capsys, "registry", "--model", "toy")
    client.delete_model_version_tag("toy", "1", f"{SIGNED}001")
    assert "verdict 1: has no signature" in said(capsys, "registry", "--model", "toy")


def test_the_next_promotion_says_what_is_right_or_missing_and_refuses_what_is_wrong(
    client: MlflowClient, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log_sweep(uri, "second", [0.25])
    assert "verdict 1: its signature is right" in said(capsys, "promote", "--sweep", "second", "--dry_run", "true")
    signature = client.get_model_version("toy", "1").tags[f"{SIGNED}001"]
    client.delete_model_version_tag("toy", "1", f"{SIGNED}001")
    assert "verdict 1: has no signature" in said(capsys, "promote", "--sweep", "second", "--dry_run", "true")
    client.set_model_version_tag("toy", "1", f"{SIGNED}001", signature)
    alter(client)
    err = said(capsys, "promote", "--sweep", "second", status=2)
    assert "model 'toy': version 1, verdict 1: its signature is wrong" in err


@pytest.mark.usefixtures("project")
def test_without_a_key_nothing_is_signed_and_nothing_said(
    uri: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_sweep(uri, "first", [0.5])
    out = said(capsys, "promote", "--sweep", "first") + said(capsys, "registry", "--model", "toy")
    assert "signature" not in out
    assert not [tag for tag in MlflowClient(uri).get_model_version("toy", "1").tags if tag.startswith(SIGNED)]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("where", ["mine.yaml", "registry/../mine.yaml", "registry/link.yaml"])
def test_a_policy_from_elsewhere_judges_only_where_that_is_allowed_and_the_verdict_says_so(
    where: str,
    tmp_path: Path,
    uri: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_sweep(uri, "first", [0.5])
    (tmp_path / "mine.yaml").write_text(f"# Question: is it better?\n{yaml.safe_dump(POLICY)}")
    (tmp_path / "registry" / "link.yaml").symlink_to(tmp_path / "mine.yaml")
    err = said(capsys, "promote", "--sweep", "first", "--policy", where, status=2)
    assert f"{where}: lies outside registry/" in err
    out = said(capsys, "promote", "--sweep", "first", "--policy", where, "--allow_policy", "true")
    assert "Judged by a policy from outside registry/: mine.yaml." in out
    recorded = json.loads(MlflowClient(uri).get_model_version("toy", "1").tags[f"{PREFIX}001"])
    assert recorded["reasons"][-1] == "Judged by a policy from outside registry/: mine.yaml."
