"""The sweep files that ship: each one checks, and opens with question, cost, expected result and source."""

from __future__ import annotations

from pathlib import Path

import pytest

from rothamsted.spec import plan
from rothamsted.sweeping.open.from_file import load, opening_comment
from tests.conftest import ROOT

FILES = sorted((ROOT / "sweeps").rglob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_shipped_sweep_is_valid_and_says_what_it_is_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sweep, _ = load(path, {}, ROOT)
    comment = opening_comment(path)
    assert [word for word in ("Question:", "Cost:", "Expected:", "Source:") if word not in comment] == []
    assert plan(sweep).n_trainings > 0


def test_the_sweeps_of_the_batch_size_study_are_all_there() -> None:
    expected = {"mup_transfer", "gamma_eta", "batch_scaling", "fixed_batch", "small_mup", "staged"}
    assert expected <= {path.stem for path in (ROOT / "sweeps" / "batch_size").glob("*.yaml")}


def test_the_quickstart_has_36_to_60_replicates_with_3_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sweep, _ = load(ROOT / "sweeps" / "quickstart.yaml", {}, ROOT)
    assert len(sweep.replicates.values) == 3
    assert 36 <= plan(sweep).n_trainings <= 60


def test_the_staged_sweep_trains_the_best_3_of_18_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    # By hand: 18 conditions x 3 seeds, then 3 x 3, and 10 fresh seeds: 73 replicates, as its comment says.
    monkeypatch.chdir(ROOT)
    sweep, _ = load(ROOT / "sweeps" / "batch_size" / "staged.yaml", {}, ROOT)
    size = plan(sweep)
    assert (size.n_trainings, size.n_stage_trainings, size.n_confirm_trainings) == (54, 9, 10)
