"""Augmentation: what each operation may do to a picture, and that it is a pure function of its generator."""

from __future__ import annotations

import pytest
import torch

from projects.image_classifier import augment


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


IMAGES = torch.rand((16, 3, 16, 16), generator=seeded(9))


@pytest.mark.parametrize("level", sorted(augment.LEVELS))
def test_a_level_keeps_shape_and_range_and_is_a_pure_function_of_its_generator(level: str) -> None:
    once, again, other = (augment.LEVELS[level](IMAGES, seeded(seed)) for seed in (1, 1, 2))
    assert once.shape == IMAGES.shape
    assert 0 <= float(once.min()) <= float(once.max()) <= 1
    assert torch.equal(once, again)
    assert torch.equal(once, other) == (level == "none")


def test_a_higher_level_changes_pictures_more() -> None:
    changes = [float((augment.LEVELS[level](IMAGES, seeded()) - IMAGES).abs().mean()) for level in augment.LEVELS]
    assert changes[0] == 0 < changes[1]
    assert changes[1] < 2 * changes[3]
    assert changes[2] < changes[3]


def test_a_flip_mirrors_whole_pictures_about_half_of_the_time() -> None:
    flipped = augment.flip(IMAGES, seeded())
    is_same = [torch.equal(a, b) for a, b in zip(flipped, IMAGES)]
    is_mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(flipped, IMAGES)]
    assert all(same != mirrored for same, mirrored in zip(is_same, is_mirrored))
    assert 3 <= sum(is_mirrored) <= 13  # of 16; outside with probability 0.004


def test_a_crop_is_a_shift_of_the_picture_by_whole_pixels() -> None:
    cropped = augment.crop(IMAGES, seeded(), share=1 / 8)
    padded = torch.nn.functional.pad(IMAGES, (2, 2, 2, 2), mode="reflect")
    for image, source in zip(cropped, padded):
        shifts = [(y, x) for y in range(5) for x in range(5) if torch.equal(image, source[:, y : y + 16, x : x + 16])]
        assert len(shifts) == 1


def test_an_affine_map_without_any_range_changes_nothing() -> None:
    same = augment.affine(IMAGES, seeded(), degrees=0, scale=0, shear=0, shift=0)
    assert torch.allclose(same, IMAGES, atol=1e-6)


def test_an_affine_turn_keeps_a_disc_and_moves_a_bar() -> None:
    # Turning about the middle leaves what is symmetric about it; a bar through the middle becomes another bar.
    y, x = torch.meshgrid(torch.arange(33) - 16.0, torch.arange(33) - 16.0, indexing="ij")
    disc, bar = (torch.exp(-(x**2 + y**2) / 30), torch.exp(-(x**2) / 8) * (y.abs() < 12))
    images = torch.stack([disc, bar])[:, None].expand(2, 3, 33, 33)
    turned = augment.affine(images, seeded(3), degrees=60, scale=0, shear=0, shift=0)
    assert float((turned[0] - images[0]).abs().max()) < 0.02
    assert float((turned[1] - images[1]).abs().max()) > 0.5


def test_brightness_alone_multiplies_a_picture_by_one_number() -> None:
    dim = IMAGES * 0.5  # so that nothing is cut at 1
    changed = augment.colour(dim, seeded(), brightness=0.3, contrast=0.0, saturation=0.0)
    ratio = (changed / dim).flatten(1)
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), atol=1e-3)
    assert bool(((ratio >= 0.699) & (ratio <= 1.301)).all())


def test_saturation_leaves_grey_pictures_alone() -> None:
    grey = IMAGES[:, :1].expand_as(IMAGES)
    assert torch.allclose(augment.colour(grey, seeded(), brightness=0, contrast=0, saturation=0.5), grey, atol=1e-5)


def test_erasing_paints_one_rectangle_of_the_wanted_area() -> None:
    images = torch.zeros(64, 3, 40, 40)
    erased = augment.erase(images, seeded(), probability=1.0, area=(0.05, 0.2))
    is_grey = erased[:, 0] == 0.5
    for mask in is_grey:
        rows, columns = torch.nonzero(mask.any(1)), torch.nonzero(mask.any(0))
        height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
        assert int(mask.sum()) == height * width  # a full rectangle
        # The area is drawn between 80 and 320 pixels; each side is rounded by less than one pixel.
        assert (height - 1) * (width - 1) < 320
        assert (height + 1) * (width + 1) > 80
    assert not torch.any(augment.erase(images, seeded(), probability=0.0, area=(0.05, 0.2)))
