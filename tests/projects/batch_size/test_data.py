"""Settings, digits, splits and digests: what every data set has in common."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.datasets import load_digits

from projects.batch_size.data import DataConfig, DataProblem, load_dataset
from projects.batch_size.data.dataset import seal
from projects.batch_size.data.split import choose_rows, stratified_order


def test_digits_are_the_default() -> None:
    # scikit-learn's documentation of load_digits: 1,797 samples, 64 features, 10 classes.
    data = load_dataset(DataConfig())
    n_rows = len(data.train_x) + len(data.val_x) + len(data.test_x)
    assert (n_rows, data.train_x.shape[1], data.n_classes) == (1797, 64, 10)


def test_arrays_have_the_types_of_the_contract() -> None:
    data = load_dataset(DataConfig())
    types = tuple(array.dtype for array in data[:4])
    assert types == (np.float32, np.int32, np.float32, np.int32)


def test_every_scan_is_in_one_part_once() -> None:
    data = load_dataset(DataConfig())
    pixels = np.rint((np.concatenate([data.train_x, data.val_x, data.test_x]) * 0.3760 + 0.3053) * 16)
    # Authority: the scans as scikit-learn hands them out.
    assert sorted(map(tuple, pixels)) == sorted(map(tuple, load_digits().data))


def test_a_scan_keeps_its_label() -> None:
    data = load_dataset(DataConfig(n_train=200, n_val=50))
    scans = load_digits()
    label_of = {tuple(pixels): label for pixels, label in zip(scans.data, scans.target, strict=True)}
    pixels = np.rint((data.train_x * 0.3760 + 0.3053) * 16)
    assert [label_of[tuple(row)] for row in pixels] == data.train_y.tolist()


def test_digits_are_standardised() -> None:
    # Mean 0 and standard deviation 1 over the whole data set, by the definition of standardising.
    data = load_dataset(DataConfig())
    everything = np.concatenate([data.train_x, data.val_x])
    assert (everything.mean(), everything.std()) == pytest.approx((0.0, 1.0), abs=1e-3)


def test_each_part_of_the_digits_holds_the_classes_in_proportion() -> None:
    data = load_dataset(DataConfig())
    whole = np.bincount(load_digits().target) / 1797
    for labels in (data.train_y, data.val_y):
        # Two rows: rounding in the head of the order and in the stretch after it.
        assert np.abs(np.bincount(labels) - whole * len(labels)).max() <= 2


def test_another_seed_is_another_split() -> None:
    digests = {load_dataset(DataConfig(seed=seed)).digest for seed in range(3)}
    assert len(digests) == 3


def test_the_validation_rows_do_not_depend_on_how_many_are_trained_on() -> None:
    few, many = (load_dataset(DataConfig(n_train=n)) for n in (100, 1000))
    assert np.array_equal(few.val_x, many.val_x)


def test_a_smaller_training_part_is_part_of_a_larger_one() -> None:
    few, many = (load_dataset(DataConfig(n_train=n)) for n in (100, 1000))
    assert np.array_equal(few.train_x, many.train_x[:100])


@pytest.mark.parametrize(("n_train", "n_val"), [(1500, None), (None, 1797), (1000, 1000)])
def test_more_digits_than_there_are_is_one_line(n_train: int | None, n_val: int | None) -> None:
    with pytest.raises(DataProblem, match=r"^data\.n_train and data\.n_val: digits has 1797 rows .*fewer$"):
        load_dataset(DataConfig(n_train=n_train, n_val=n_val))


def test_the_same_settings_are_read_once() -> None:
    assert load_dataset(DataConfig(seed=5)) is load_dataset(DataConfig(seed=5))


def test_shared_arrays_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_dataset(DataConfig()).train_x[0, 0] = 1.0


def test_the_digest_is_sha256_of_name_types_shapes_and_bytes() -> None:
    x, y = np.array([[1.0, 2.0]], np.float32), np.array([3], np.int32)
    data = seal("toy", train=(x, y), val=(x, y), n_classes=10)
    # By hand, from the definition in the docstring of Dataset.
    part = b"|<f4(1, 2)|" + x.tobytes() + b"|<i4(1,)|" + y.tobytes()
    assert data.digest == hashlib.sha256(b"toy" + part + part).hexdigest()


def test_one_changed_value_changes_the_digest() -> None:
    x, y = np.zeros((4, 2)), np.zeros(4)
    other = x.copy()
    other[3, 1] = 1e-6
    digests = {seal("toy", train=(each, y), val=(x, y), n_classes=2).digest for each in (x, other)}
    assert len(digests) == 2


@pytest.mark.parametrize(
    "setting",
    [{"noise": 0.1}, {"degree": 3}, {"dimension": 8}, {"online": True}, {"path": "somewhere"}],
    ids=lambda setting: next(iter(setting)),
)
def test_a_setting_without_effect_on_the_digits_is_refused(setting: dict[str, object]) -> None:
    (field,) = setting
    with pytest.raises(ValidationError, match=f"{field}=.* has no effect on data set 'digits'"):
        DataConfig.model_validate(setting)


def test_online_training_has_no_training_rows_to_count() -> None:
    with pytest.raises(ValidationError, match="n_train=10 has no effect on data set 'teacher' with online"):
        DataConfig(name="teacher", online=True, n_train=10)


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ({"name": "cifar"}, "'digits', 'mnist', 'mnist1m' or 'teacher'"),
        ({"n_train": 0}, "greater than or equal to 1"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"name": "teacher", "noise": float("nan")}, "finite|greater than or equal to 0"),
        ({"name": "teacher", "degree": 21}, "less than or equal to 20"),
        ({"sed": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_bad_setting_is_refused_with_its_rule(setting: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        DataConfig.model_validate(setting)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(4, 30), st.integers(0, 2**32 - 1), st.data())
def test_any_stretch_holds_equal_classes_equally(n_classes: int, n_each: int, seed: int, data: st.DataObject) -> None:
    labels = np.repeat(np.arange(n_classes), n_each)
    order = stratified_order(labels, np.random.default_rng(seed))
    start, stop = sorted(data.draw(st.tuples(st.integers(0, len(labels)), st.integers(0, len(labels)))))
    counts = np.bincount(labels[order[start:stop]], minlength=n_classes)
    # Equal classes come in rounds of one row each; a stretch cuts at most two rounds.
    assert counts.max() - counts.min() <= 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=50), st.integers(0, 2**32 - 1))
def test_the_stratified_order_names_every_row_once(labels: list[int], seed: int) -> None:
    order = stratified_order(np.array(labels, np.int64), np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))


def test_each_of_two_equal_classes_comes_first_half_of_the_time() -> None:
    labels = np.array([0, 0, 1, 1])
    n_draws = 2000
    first = [labels[stratified_order(labels, np.random.default_rng(seed))[0]] for seed in range(n_draws)]
    # By symmetry 1/2, standard error sqrt(1/4 / 2000) = 0.0112; 5 of them.
    assert np.mean(first) == pytest.approx(0.5, abs=5 * 0.0112)


def test_every_row_of_a_class_is_chosen_equally_often() -> None:
    labels = np.repeat([0, 1], [30, 10])
    n_draws = 4000
    chosen = np.zeros(40)
    for seed in range(n_draws):
        chosen[choose_rows(labels, 8, seed=seed, field="n_train", source="toy")] += 1
    # A row is in a stratified choice of 8 out of 40 with probability 1/5, standard error
    # sqrt(0.2 * 0.8 / 4000) = 0.0063; 5 of them keep 40 rows together far inside one in a thousand.
    assert np.abs(chosen / n_draws - 0.2).max() < 5 * 0.0063
