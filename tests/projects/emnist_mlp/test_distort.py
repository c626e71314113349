"""Distortions: against SciPy's resampling, by hand for shifts, and what each strength means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from projects.emnist_mlp.distort import Strength, distort, places_of, sample
from projects.emnist_mlp.streams import Purpose, generator_of

NOTHING = Strength(0.0, 0.0, 0.0)


def generator(seed: int = 0) -> torch.Generator:
    return generator_of(seed, Purpose.DISTORTION, 0)


def images(n: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((n, 28, 28), np.float32))


def matrix(degrees: float, size: float, shear: float) -> np.ndarray:
    """Rotation after shear after size, (2, 2) on (x, y)."""
    a = math.radians(degrees)
    rotation = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    return rotation @ np.array([[1.0, shear], [0.0, 1.0]]) * size


@settings(max_examples=12, deadline=None)
@given(st.floats(-60, 60), st.floats(0.6, 1.5), st.floats(-0.5, 0.5), st.tuples(st.floats(-5, 5), st.floats(-5, 5)))
def test_an_affine_map_agrees_with_scipy(degrees: float, size: float, shear: float, shift: tuple[float, float]) -> None:
    # scipy.ndimage.affine_transform, linear, looks each output pixel (row, column) up at matrix @ pixel + offset.
    image, forward = images(1), matrix(degrees, size, shear)
    rows_first, middle = forward[::-1, ::-1], np.array([13.5, 13.5])
    offset = middle - rows_first @ middle + np.array(shift[::-1])
    expected = ndimage.affine_transform(
        image[0].double().numpy(), rows_first, offset, order=1, mode="grid-constant", cval=0.0
    )
    found = sample(image, places_of(torch.tensor(forward[None]).float(), torch.tensor([shift]).float(), 28))
    # float32 places: about 1e-5 of a pixel, times neighbours that differ by at most 1.
    np.testing.assert_allclose(found[0].numpy(), expected, atol=2e-4)


def test_a_shift_by_whole_pixels_moves_the_image() -> None:
    image = images(1)
    found = sample(image, places_of(torch.eye(2)[None], torch.tensor([[2.0, -1.0]]), 28))
    # By hand: each pixel is looked up two columns to the right and a line above.
    expected = np.zeros((28, 28), np.float32)
    expected[1:, :-2] = image[0, :-1, 2:]
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-4)


def test_no_strength_leaves_images_as_they_are() -> None:
    assert torch.equal(distort(images(), NOTHING, generator()), images())


@pytest.mark.parametrize("field", Strength._fields)
def test_each_distortion_changes_images_and_depends_on_the_seed(field: str) -> None:
    strength = NOTHING._replace(**{field: 0.5})
    first, again, other = (distort(images(), strength, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, images(), atol=0.01)
    assert not torch.allclose(first, other, atol=0.01)


def test_each_image_gets_its_own_distortion() -> None:
    same = images(1).expand(4, -1, -1)
    found = distort(same, Strength(1.0, 1.0, 0.0), generator())
    assert all(not torch.allclose(found[0], found[k], atol=0.01) for k in (1, 2, 3))


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 4), st.floats(0, 8), st.floats(0, 1), st.integers(0, 1000))
def test_ink_stays_between_0_and_1(affine: float, elastic: float, noise: float, seed: int) -> None:
    found = distort(images(), Strength(affine, elastic, noise), generator(seed))
    assert found.shape == (3, 28, 28)
    assert bool(torch.isfinite(found).all())
    # The sum of bilinear weights is 1 up to rounding.
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1 + 1e-5


def test_noise_has_the_deviation_that_is_asked_for() -> None:
    # At 0.5 nothing is cut off; 78,400 pixels: five standard errors of the deviation are 5 x 0.05 / sqrt(2 n) = 0.0006.
    found = distort(torch.full((100, 28, 28), 0.5), Strength(0.0, 0.0, 0.05), generator())
    assert float(found.std()) == pytest.approx(0.05, abs=0.0007)


def test_elastic_displacements_have_the_deviation_that_cubic_interpolation_leaves() -> None:
    # On a ramp from left to right a pixel's grey says in which column it was looked up. Column 9 is one of the nodes
    # 0, 9, 18, 27; line 14 lies at t = 14 / 9 - 1 = 5/9 between the nodes of lines 9 and 18.
    ramp = torch.linspace(0, 1, 28).expand(2000, 28, 28).contiguous()
    found = distort(ramp, Strength(0.0, 0.5, 0.0), generator())
    moved = (found[:, 14, 9] - 9 / 27) * 27
    # Weights of the four nodes by cubic convolution with a = -0.75, Keys (1981): independent normal nodes give a
    # deviation of 0.5 times the root of their summed squares.
    t, a = 5 / 9, -0.75
    near = [((a + 2) * s - (a + 3)) * s * s + 1 for s in (t, 1 - t)]
    far = [((a * s - 5 * a) * s + 8 * a) * s - 4 * a for s in (1 + t, 2 - t)]
    expected = 0.5 * math.sqrt(sum(w * w for w in near + far))
    # Standard error of a deviation from 2,000 draws: 1.6 %; five of them.
    assert float(moved.std()) == pytest.approx(expected, rel=0.08)
