"""`prepare_data -P dataset=simple_shapes`: fills the cache, reports what reconstruction loses, refuses clearly."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects.files.problem import DataProblem
from projects.global_workspace.data import cache
from projects.global_workspace.data.prepare import prepare_simple_shapes
from tests.projects.global_workspace.data.small import write_folder


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_is_prepared_and_its_reconstruction_error_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "set")
    path = prepare_simple_shapes(source=str(tmp_path / "set"), vae_steps=2)
    assert path.parent == cache.FOLDER
    assert path.is_file()
    assert "figures.mse" in path.with_suffix(".json").read_text()
    printed = capsys.readouterr().out
    assert "folder: 32 + 32 + 32 rows" in printed
    assert "visual autoencoder: mean squared error 0." in printed


def test_a_target_is_refused() -> None:
    with pytest.raises(DataProblem, match="target=elsewhere: what the study reads lies in data/global_workspace"):
        prepare_simple_shapes(target=Path("elsewhere"))


def test_settings_that_cannot_hold_are_one_line() -> None:
    with pytest.raises(DataProblem, match="n_train=100 is not a multiple of 32") as refusal:
        prepare_simple_shapes(n_train=100)
    assert "\n" not in str(refusal.value)


def test_a_folder_that_is_missing_is_named() -> None:
    with pytest.raises(DataProblem, match=r"nowhere/train_labels\.npy: cannot be read"):
        prepare_simple_shapes(source="nowhere")
