"""Define the networks of the study, one row each in a table: a new family is a module and a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from projects.image_classifier.models.cnn import SmallCnn
from projects.image_classifier.models.efficientnet import EfficientNetB0

FAMILIES: Mapping[str, Callable[..., nn.Module]] = {"cnn": SmallCnn, "efficientnet_b0": EfficientNetB0}


def build_network(family: str, n_classes: int, settings: Mapping[str, float | int]) -> nn.Module:
    """Build a network with weights as PyTorch's global random state draws them; it takes (row, 3, height, width).

    Args:
        family: a key of FAMILIES.
        n_classes: outputs.
        settings: the family's own arguments, by name.
    """
    return FAMILIES[family](n_classes, **settings)
