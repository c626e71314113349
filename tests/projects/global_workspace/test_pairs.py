"""How many pairs cycles save, against curves whose saving is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from projects.global_workspace.pairs import CYCLE, PAIRS, main, read_errors, savings

PAIR_COUNTS = (64, 256, 1024, 4096)
SEEDS = np.array([0.99, 1.0, 1.01])


def curve(saving: float) -> dict[int, np.ndarray]:
    """Errors that fall as 1 / (saving * pairs): by construction `saving` times fewer pairs than without cycles."""
    return {n: SEEDS / (saving * n) for n in PAIR_COUNTS}


def test_a_known_saving_is_found() -> None:
    found = savings(curve(4.0), curve(1.0))
    assert [saving.factor for saving in found[:3]] == pytest.approx([4.0, 4.0, 4.0])


def test_an_error_that_no_swept_number_of_pairs_reaches_has_no_factor() -> None:
    last = savings(curve(4.0), curve(1.0))[-1]  # 4 * 4096 pairs were not swept
    assert np.isnan(last.factor)
    assert last.high == np.inf


def test_the_interval_holds_the_factor_and_widens_with_noise() -> None:
    rng = np.random.default_rng(0)
    noisy = {n: errors * np.exp(0.2 * rng.standard_normal(3)) for n, errors in curve(1.0).items()}
    (calm, *_), (rough, *_) = savings(curve(4.0), curve(1.0)), savings(curve(4.0), noisy)
    # By construction the curves are in the same proportion for every seed, so the calm interval is the factor.
    assert (calm.low, calm.high) == pytest.approx((4.0, 4.0))
    assert rough.high - rough.low > calm.high - calm.low


def export(folder: Path, arms: dict[float, dict[int, np.ndarray]]) -> Path:
    entries = {
        f"{cycle}, {n}": {
            PAIRS: n,
            CYCLE: cycle,
            "individual_results": [
                {"seed": seed, "objective": value, "outcome": "finished"} for seed, value in enumerate(errors)
            ],
        }
        for cycle, arm in arms.items()
        for n, errors in arm.items()
    }
    (folder / "aggregated_results.json").write_text(json.dumps(entries))
    return folder


def test_an_export_is_read_and_its_savings_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = export(tmp_path, {1.0: curve(4.0), 0.0: curve(1.0)})
    with_cycles, without = read_errors(folder)
    np.testing.assert_allclose(with_cycles[64] * 4, without[64])
    assert main([str(folder)]) == 0
    assert "64 pairs with cycles: 4.00" in capsys.readouterr().out


def test_an_export_without_one_arm_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(export(tmp_path, {1.0: curve(4.0)}))]) == 2
    assert "with and without cycles" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}", "[]", '{"a": {}}', "no json"])
def test_another_file_is_refused_in_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "aggregated_results.json").write_text(text)
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
