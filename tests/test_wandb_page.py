"""docs/wandb.md: its file is a sweep file, and its commands and keys are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from rothamsted import tags
from rothamsted.catalog import PRUNERS, SAMPLERS
from rothamsted.cli.usage import USAGES
from rothamsted.importing.wandb import api, offline
from rothamsted.mirroring.pictures import KINDS, MOST, MOST_BYTES
from rothamsted.mirroring.writer import WAIT_SECONDS
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "wandb.md").read_text()


def test_the_file_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    [text] = re.findall(r"```yaml sweep\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    sweep, _ = load(path, {}, ROOT)
    assert sweep.execution.wandb is not None
    assert sweep.execution.wandb.project == yaml.safe_load(text)["execution"]["wandb"]["project"]


@pytest.mark.parametrize("line", re.findall(r"^(?:mlflow run|rothamsted) .*$", PAGE, re.MULTILINE))
def test_a_command_is_there_with_its_keys(line: str) -> None:
    words = shlex.split(line, comments=True)
    name = words[1] if words[0] == "rothamsted" else words[words.index("-e") + 1]
    keys = {word.partition("=")[0] for word in words[2:] if "=" in word}
    assert name == "import_runs"
    assert keys <= set(USAGES[name].keys)
    [source] = [word.partition("=")[2] for word in words if word.startswith("source=")]
    assert api.matches(source) or source.startswith(("./wandb", "wandb/offline-run-"))
    assert not offline.matches(source)  # nothing of the kind lies here


def test_names_and_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"`{tags.MIRRORED}`" in PAGE
    assert f"at most {MOST}, each of {MOST_BYTES >> 20} MB at most" in PAGE
    assert f"({WAIT_SECONDS:g} s each by default)" in PAGE
    assert all(kind.lstrip(".").upper() in PAGE.upper() for kind in KINDS if kind != ".jpg")
    assert {"grid", "random", "tpe", "gp"} <= set(SAMPLERS)
    assert "hyperband" in PRUNERS
