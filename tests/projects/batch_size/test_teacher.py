"""The polynomial teachers: their moments by theory, and drawing inside compiled JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from projects.batch_size.data import DataConfig, load_dataset
from projects.batch_size.data.teacher import (
    Teacher,
    make_teacher,
    normalized_hermite,
    sample_teacher,
    teacher_value,
)

# Compiled, as in training: without that JAX compiles each operation by itself, which takes longer.
sampled = jax.jit(sample_teacher, static_argnums=2)


def config(**settings: object) -> DataConfig:
    return DataConfig.model_validate({"name": "teacher", **settings})


def test_hermite_polynomials_are_those_of_the_handbook() -> None:
    # Abramowitz and Stegun, table 22.13: He_2 = x^2 - 1, He_3 = x^3 - 3x, He_4 = x^4 - 6x^2 + 3.
    x = np.linspace(-3, 3, 7)
    expected = [x**2 - 1, x**3 - 3 * x, x**4 - 6 * x**2 + 3]
    norms = np.sqrt([2.0, 6.0, 24.0])
    found = normalized_hermite(x, 4)[2:]
    assert np.allclose(found, [he / norm for he, norm in zip(expected, norms, strict=True)], atol=1e-12)


def test_hermite_polynomials_are_orthonormal_under_the_normal_law() -> None:
    # E[He_j He_k] = k! delta_jk (Abramowitz and Stegun, 22.2.15). Gauss quadrature with 24 nodes is
    # exact to degree 47, so for all products up to 20 + 20.
    nodes, weights = hermegauss(24)
    h = np.stack(normalized_hermite(nodes, 20))
    gram = (h * (weights / weights.sum())) @ h.T
    assert np.allclose(gram, np.eye(21), atol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 5, 20])
def test_the_teacher_has_unit_variance_in_theory(degree: int) -> None:
    # Variance = sum of squared coefficients, by orthonormality.
    assert (make_teacher(config(degree=degree)).coefficients ** 2).sum() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(("degree", "dimension"), [(1, 1), (2, 16), (3, 5)])
def test_a_large_sample_has_mean_zero_and_variance_one(degree: int, dimension: int) -> None:
    n = 400_000
    teacher = make_teacher(config(degree=degree, dimension=dimension))
    _, y = sampled(jax.random.key(3), teacher, n)
    values = np.asarray(y, np.float64)
    # Theory: mean 0, variance 1; the tolerance is 5 standard errors, the variance's from the exact
    # fourth moment by Gauss quadrature.
    nodes, weights = hermegauss(24)
    f = sum(normalized_hermite(nodes, degree)[1:]) / np.sqrt(degree)
    fourth = (f**4 * weights).sum() / weights.sum()
    assert abs(values.mean()) < 5 / np.sqrt(n)
    assert abs(values.var() - 1) < 5 * np.sqrt((fourth - 1) / n)


def test_noise_adds_its_variance() -> None:
    n, noise = 200_000, 0.5
    teacher = make_teacher(config(noise=noise))
    x, y = sampled(jax.random.key(0), teacher, n)
    residual = np.asarray(y - teacher_value(Teacher(*map(jnp.asarray, teacher)), x), np.float64)
    # Normal residual: the standard error of a standard deviation is noise / sqrt(2 n); 5 of them.
    assert abs(residual.std() - noise) < 5 * noise / np.sqrt(2 * n)


def test_the_target_depends_on_one_direction_only() -> None:
    teacher = make_teacher(config(dimension=6))
    x = np.random.default_rng(0).standard_normal((50, 6))
    across = x - (x @ teacher.direction)[:, None] * teacher.direction
    # A single-index function does not see what is orthogonal to its direction.
    assert np.allclose(teacher_value(teacher, x), teacher_value(teacher, x + 7 * across), atol=1e-9)


def test_directions_are_uniform_on_the_sphere() -> None:
    directions = np.stack([make_teacher(config(dimension=3, seed=seed)).direction for seed in range(2000)])
    # E[w w^T] = I / d for a uniform direction; an entry's standard error is below 0.3 / sqrt(2000).
    assert np.abs(directions.T @ directions / 2000 - np.eye(3) / 3).max() < 5 * 0.3 / np.sqrt(2000)


def test_sampling_compiled_gives_the_same_numbers() -> None:
    teacher, key = make_teacher(config()), jax.random.key(1)
    plain = sample_teacher(key, teacher, 32)
    compiled = sampled(key, teacher, 32)
    # The same inputs exactly; targets may be fused differently: float32 rounding of a few units.
    assert np.array_equal(plain[0], compiled[0])
    assert np.allclose(plain[1], compiled[1], atol=1e-5)


def test_every_step_of_a_scan_draws_fresh_samples() -> None:
    teacher = make_teacher(config())

    def step(key: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        key, drawn = jax.random.split(key)
        return key, sample_teacher(drawn, teacher, 4)[0]

    _, x = jax.lax.scan(step, jax.random.key(0), None, length=10)
    # 10 steps x 4 rows x 16 normal draws; float32 draws of this few do not meet twice.
    assert len(np.unique(np.asarray(x))) == 10 * 4 * 16


def test_teachers_can_be_mapped_over() -> None:
    teachers = [make_teacher(config(seed=seed, noise=seed / 10)) for seed in range(3)]
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *teachers)
    keys = jax.random.split(jax.random.key(0), 3)
    _, together = jax.jit(jax.vmap(lambda key, teacher: sample_teacher(key, teacher, 8)))(keys, stacked)
    # Authority: each teacher sampled alone, to float32 rounding.
    alone = [sampled(key, teacher, 8)[1] for key, teacher in zip(keys, teachers, strict=True)]
    assert np.allclose(together, np.stack(alone), atol=1e-5)


@pytest.mark.parametrize(("is_wide", "dtype"), [(False, np.float32), (True, np.float64)])
def test_the_precision_is_that_of_jax(is_wide: bool, dtype: type) -> None:
    with jax.enable_x64(is_wide):
        x, y = sampled(jax.random.key(0), make_teacher(config()), 2)
    assert (x.dtype, y.dtype) == (dtype, dtype)


def test_samples_have_the_shapes_of_the_contract() -> None:
    x, y = sampled(jax.random.key(0), make_teacher(config(dimension=7)), 5)
    assert (x.shape, y.shape) == ((5, 7), (5, 1))


def test_the_fixed_sample_is_labelled_by_the_same_teacher() -> None:
    settings = config(seed=4, degree=3)
    data = load_dataset(settings)
    # Authority: the teacher applied to the stored inputs; float32 inputs limit the agreement.
    assert np.allclose(data.train_y, teacher_value(make_teacher(settings), data.train_x), atol=1e-4)


def test_noise_is_on_training_targets_and_not_on_validation_targets() -> None:
    clean, noisy = (load_dataset(config(noise=noise, n_train=20_000)) for noise in (0.0, 0.3))
    # Standard error of a standard deviation: 0.3 / sqrt(2 * 20,000) = 0.0015; 5 of them.
    assert (noisy.train_y - clean.train_y).std() == pytest.approx(0.3, abs=5 * 0.0015)
    assert np.array_equal(noisy.val_y, clean.val_y)


def test_the_fixed_sample_is_regression_with_one_output() -> None:
    data = load_dataset(config(n_train=10, n_val=5))
    assert (data.train_y.shape, data.val_y.shape, data.train_y.dtype) == ((10, 1), (5, 1), np.float32)
    assert data.n_classes is None


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    few, many = (load_dataset(config(n_train=n)) for n in (10, 100))
    assert np.array_equal(few.train_x, many.train_x[:10])


def test_training_and_validation_inputs_are_different_draws() -> None:
    data = load_dataset(config(n_train=50, n_val=50))
    assert not np.isin(data.train_x, data.val_x).any()


def test_online_data_keep_the_validation_part_and_one_training_row() -> None:
    fixed, online = load_dataset(config()), load_dataset(config(online=True))
    assert online.train_x.shape == (1, 16)
    assert np.array_equal(online.val_x, fixed.val_x)


def test_equal_seeds_give_equal_teachers_and_others_do_not() -> None:
    first, again, other = (make_teacher(config(seed=seed)).direction for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
