"""Define the activations in one table: a new one is a function and a row.

A config is checked without torch, which is imported where it computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Activation(NamedTuple):
    """Holds a function of hidden units, and the initial scale of weights that keeps the size of signals."""

    apply: Callable[[Tensor], Tensor]  # any shape -> the same shape
    gain: float  # weights of the layer behind it start with the standard deviation gain / sqrt(fan_in)


def _gelu(h: Tensor) -> Tensor:
    """h times the normal distribution function at h. Hendrycks and Gimpel, arXiv:1606.08415."""
    from torch.nn.functional import gelu

    return gelu(h)


def _squared_relu(h: Tensor) -> Tensor:
    """max(h, 0) squared, which a search over programs found. So et al., arXiv:2109.08668."""
    return h.relu().square()


# A gain is 1 / sqrt(E[f(h)^2]) for a standard normal h: for relu that of He et al., arXiv:1502.01852.
ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(lambda h: h.relu(), math.sqrt(2)),
    "gelu": Activation(_gelu, 1.5335),
    "tanh": Activation(lambda h: h.tanh(), 1.5925),
    "squared_relu": Activation(_squared_relu, math.sqrt(2 / 3)),
}
