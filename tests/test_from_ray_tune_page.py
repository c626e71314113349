"""The files, commands and calls of docs/from-ray-tune.md, run in their order in a folder of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "from-ray-tune.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+) (run|file=(\S+))\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OWN = ["execution.executor=in_process", "execution.workers=1", "execution.report=false"]  # of a test, for its time


def test_the_page_runs_from_its_first_file_to_its_last_call(
    tmp_path: Path,
    new_mlflow: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    ran = []
    for language, how, name, text in BLOCKS:
        if name:
            Path(name).write_text(text, encoding="utf-8")
        elif language == "bash":
            assert main([*text.split()[1:], *OWN]) == 0
            ran.append(text.split()[2])
        else:
            capsys.readouterr()
            exec(compile(text, how, "exec"), {})
            ran.append("calls")
    assert ran == ["search.yaml", "asha.yaml", "calls"]
    shown = capsys.readouterr().out
    assert "lr" in shown.splitlines()[0]
    assert "[24 rows x" in shown  # 8 conditions, 3 seeds


def test_names_of_samplers_and_pruners_on_the_page_are_those_of_the_schema() -> None:
    from rothamsted.catalog import PRUNERS, SAMPLERS

    named = set(re.findall(r"`sampler: (\w+)`", PAGE)) | set(re.findall(r"`(gp|cmaes|nsgaii)`", PAGE))
    assert {"tpe", "grid"} < named <= set(SAMPLERS.names())
    named = set(re.findall(r"pruner: (?:\{name: )?(\w+)", PAGE))
    assert named == {"asha", "hyperband", "median"}
    assert named <= set(PRUNERS.names())
