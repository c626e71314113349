"""Draw data from polynomial teachers on Gaussian inputs, targets with known exact moments, in pure JAX.

Training can draw from it afresh at every step inside a compiled scan.

    x ~ N(0, I_d),   f*(x) = sum over k = 1 .. degree of c_k h_k(w.x),   h_k = He_k / sqrt(k!)

with one direction w, uniform on the unit sphere, and c_k = 1 / sqrt(degree). As w.x ~ N(0, 1) and
E[He_j He_k] = k! delta_jk under it (Abramowitz and Stegun, 22.2.15), f* has mean 0 and variance
sum c_k^2 = 1, whatever degree and dimension; every degree has an equal share of the variance.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from projects.batch_size.data.config import DataConfig
from projects.batch_size.data.dataset import Dataset, seal

N_SAMPLES = 4096  # rows of the training and of the validation part where none are asked for
_DIRECTION, _TRAIN, _NOISE, _VAL, _TEST = range(5)  # independent streams of one data seed

A = TypeVar("A", np.ndarray, jax.Array)


class Teacher(NamedTuple):
    """Holds one teacher as a pytree of arrays, so that it can be traced, and stacked for `vmap`."""

    direction: np.ndarray | jax.Array  # (d,) unit vector
    coefficients: np.ndarray | jax.Array  # (degree,): c_1 .. c_degree
    noise: np.ndarray | jax.Array  # (): standard deviation of the noise on a drawn target


def make_teacher(config: DataConfig) -> Teacher:
    """Make the teacher of a configuration from `seed`, `dimension`, `degree` and `noise` only.

    Args:
        config: name is 'teacher'.

    Returns:
        NumPy float64 arrays; JAX converts them to its precision.
    """
    direction = _stream(config.seed, _DIRECTION).standard_normal(config.dimension)
    coefficients = np.full(config.degree, 1 / math.sqrt(config.degree))
    return Teacher(direction / np.linalg.norm(direction), coefficients, np.asarray(config.noise, np.float64))


def sample_teacher(key: jax.Array, teacher: Teacher, n: int) -> tuple[jax.Array, jax.Array]:
    """Draw fresh inputs and targets; pure, so it can be compiled, scanned and mapped over keys and teachers.

    Args:
        key: JAX key; equal keys give equal samples at one precision (float32 and float64 draws differ).
        teacher: from `make_teacher`; its noise is added to the targets.
        n: number of rows, static.

    Returns:
        Inputs (n, d) and targets (n, 1), float64 where JAX runs with x64 and float32 otherwise.
    """
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    teacher = Teacher(*(jnp.asarray(part, dtype) for part in teacher))
    key_x, key_noise = jax.random.split(key)
    x = jax.random.normal(key_x, (n, teacher.direction.shape[0]), dtype)  # (n, d)
    y = teacher_value(teacher, x) + teacher.noise * jax.random.normal(key_noise, (n, 1), dtype)  # (n, 1)
    return x, y


def teacher_value(teacher: Teacher, x: A) -> A:
    """Compute the noiseless target f*(x): (n, d) -> (n, 1). Takes NumPy and JAX arrays alike."""
    u = x @ teacher.direction  # (n, d) @ (d,) -> (n,)
    total = sum(teacher.coefficients[k] * h for k, h in enumerate(normalized_hermite(u, len(teacher.coefficients))[1:]))
    return total[:, None]  # type: ignore[index]  # (n,) -> (n, 1); degree >= 1, so never the integer 0


def normalized_hermite(u: A, degree: int) -> list[A]:
    """Compute h_0(u) .. h_degree(u), h_k = He_k / sqrt(k!), orthonormal under N(0, 1).

    By h_{k+1} = (u h_k - sqrt(k) h_{k-1}) / sqrt(k + 1), which is He_{k+1} = u He_k - k He_{k-1}
    (Abramowitz and Stegun, 22.7.14) divided through; no factorial is formed.

    Args:
        u: points, any shape.
        degree: the highest degree, static, at least 1.

    Returns:
        degree + 1 arrays of the shape of u.
    """
    values = [u * 0 + 1, u]
    for k in range(1, degree):
        values.append((u * values[k] - math.sqrt(k) * values[k - 1]) / math.sqrt(k + 1))
    return values[: degree + 1]


def draw_teacher_dataset(config: DataConfig) -> Dataset:
    """Draw a fixed sample by NumPy from `config.seed`, so that it is the same at every JAX precision.

    Training targets have noise, validation and test targets do not: their loss is the distance to the teacher itself.
    There are as many test rows as validation rows. A smaller n_train is the head of a larger one; the validation rows
    depend on seed and n_val only. With `online` the training part is one row, for its shape.

    Args:
        config: name is 'teacher'.

    Returns:
        Inputs (n, dimension), targets (n, 1).
    """
    teacher = make_teacher(config)
    n_train = 1 if config.online else (config.n_train or N_SAMPLES)
    train_x = _stream(config.seed, _TRAIN).standard_normal((n_train, config.dimension))
    noise = config.noise * _stream(config.seed, _NOISE).standard_normal((n_train, 1))
    shape = (config.n_val or N_SAMPLES, config.dimension)
    val_x, test_x = (_stream(config.seed, stream).standard_normal(shape) for stream in (_VAL, _TEST))
    return seal(
        "teacher",
        train=(train_x, teacher_value(teacher, train_x) + noise),
        val=(val_x, teacher_value(teacher, val_x)),
        test=(test_x, teacher_value(teacher, test_x)),
        n_classes=None,
    )


def _stream(seed: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, purpose])
