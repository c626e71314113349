"""What the loader hands out: equal for equal settings, exact in what each domain tells, and quick once cached."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from projects.global_workspace.data import DataConfig, load_data
from projects.global_workspace.data import load as load_module
from projects.global_workspace.data.bits import draw_bits
from projects.global_workspace.data.config import DOMAINS
from projects.global_workspace.data.dataset import WorkspaceData
from projects.global_workspace.data.items import bits_generator, part_labels
from projects.global_workspace.data.labels import attribute_vectors
from projects.global_workspace.information import mutual_information
from tests.projects.global_workspace.data.small import ATTRIBUTE_VAE, small_config, write_folder

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(home)
    load_module._load.cache_clear()
    yield
    load_module._load.cache_clear()


@pytest.fixture
def data(_at_home: None) -> WorkspaceData:
    return load_data(small_config())


def carried(data: WorkspaceData, domain: str) -> np.ndarray:
    """All bits in a domain's vectors, read back from its columns."""
    indices = [i for kind in ("synergy", "unique", "redundant") for i in data.columns[kind][domain]]
    return (data.train.domains[domain][:, indices] > 0).astype(int)


def test_sizes_and_types_are_as_documented(data: WorkspaceData) -> None:
    assert dict(data.dims) == {"visual": 11, "attributes": 14}  # 8 and 11 numbers, then three bits
    assert [split.n for split in (data.train, data.validation, data.test)] == [64, 32, 32]
    for domain in DOMAINS:
        assert data.train.domains[domain].dtype == np.float32
        assert data.train.domains[domain].shape == (64, data.dims[domain])
        assert data.train.unique[domain].shape == (64, 1)


def test_a_target_is_told_by_both_vectors_and_by_neither_alone(data: WorkspaceData) -> None:
    visual, attributes = (carried(data, domain) for domain in DOMAINS)
    # By construction; shares of whole blocks are powers of 1/2, so the numbers are exact.
    assert mutual_information(data.train.synergy, visual) == 0.0
    assert mutual_information(data.train.synergy, attributes) == 0.0
    assert mutual_information(data.train.synergy, np.hstack([visual, attributes])) == 1.0


@pytest.mark.parametrize("kind", ["synergy", "unique", "redundant"])
def test_a_column_of_a_bit_has_mean_0_and_variance_1(kind: str, data: WorkspaceData) -> None:
    for domain in DOMAINS:
        column = data.train.domains[domain][:, list(data.columns[kind][domain])]
        assert column.mean() == 0
        assert column.var() == 1


def test_unique_and_redundant_bits_stand_in_their_columns(data: WorkspaceData) -> None:
    for domain in DOMAINS:
        vectors = data.train.domains[domain]
        assert np.array_equal(vectors[:, list(data.columns["unique"][domain])] > 0, data.train.unique[domain] == 1)
        assert np.array_equal(vectors[:, list(data.columns["redundant"][domain])] > 0, data.train.redundant == 1)


def test_bits_have_nothing_to_do_with_the_shape() -> None:
    config = DataConfig()  # 8,192 rows; needs no latents
    kinds = part_labels(config, "train")[:, 0].astype(int)
    bits = draw_bits(config, len(kinds), bits_generator(config, "train"))
    for column in (bits.synergy, bits.redundant, *bits.unique.values(), *bits.carried.values()):
        table = np.zeros((3, 2))
        np.add.at(table, (kinds, column[:, 0]), 1)
        assert chi2_contingency(table).pvalue > 1e-3


def test_attributes_are_the_vectors_of_the_labels(data: WorkspaceData) -> None:
    labels = part_labels(small_config(), "train")
    assert np.array_equal(data.train.domains["attributes"][:, :11], attribute_vectors(labels))


def test_equal_settings_give_equal_data_from_the_cache_and_without_it(
    data: WorkspaceData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_module._load.cache_clear()
    assert load_data(small_config()).digest == data.digest
    monkeypatch.chdir(tmp_path)  # no cache lies here
    assert load_data(small_config()).digest == data.digest


def test_another_seed_gives_other_data(data: WorkspaceData) -> None:
    assert load_data(small_config(seed=1)).digest != data.digest


def test_a_smaller_part_is_the_head_of_a_larger_one(data: WorkspaceData) -> None:
    small = load_data(small_config(n_train=32))
    assert np.array_equal(small.train.synergy, data.train.synergy[:32])
    for domain in DOMAINS:
        # Latents are computed in blocks of rows, whose float32 sums may differ in their order.
        assert small.train.domains[domain] == pytest.approx(data.train.domains[domain][:32], abs=1e-5)


def test_arrays_are_locked(data: WorkspaceData) -> None:
    with pytest.raises(ValueError, match="read-only"):
        data.train.domains["visual"][0, 0] = 1


def test_attributes_may_go_through_their_autoencoder() -> None:
    settings = {"attribute_form": "vae", "attribute_vae": {**ATTRIBUTE_VAE, "latent": 5}}
    assert load_data(small_config(**settings)).dims["attributes"] == 5 + 3


def test_a_folder_is_loaded_like_drawn_shapes(tmp_path: Path) -> None:
    labels = write_folder(tmp_path / "set")
    data = load_data(small_config(name="folder", path=str(tmp_path / "set"), n_train=None))
    assert np.array_equal(data.train.domains["attributes"][:, :11], attribute_vectors(labels))
    assert data.train.domains["visual"].shape == (32, 11)


def test_a_later_process_needs_neither_torch_nor_matplotlib(data: WorkspaceData) -> None:
    code = (
        "import sys; from tests.projects.global_workspace.data.small import small_config\n"
        "sys.modules['torch'] = sys.modules['matplotlib'] = None  # an import of either now fails\n"
        "from projects.global_workspace.data import load_data; print(load_data(small_config()).digest)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == data.digest
