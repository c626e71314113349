"""Define the shape of a transformer: all that is needed, besides weights, to build it again.

It imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Norm = Literal["pre", "post", "none"]
Position = Literal["rope", "none"]
FeedForward = Literal["swiglu", "silu"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Describes one architecture."""

    vocab_size: int
    context_length: int  # tokens that a prediction may look back on, itself included
    d_model: int
    num_layers: int
    num_heads: int
    d_ff: int  # hidden units of the SwiGLU form
    rope_theta: float
    norm: Norm
    position: Position
    feed_forward: FeedForward
    tie_weights: bool

    @property
    def d_head(self) -> int:
        """Return the width of one attention head."""
        return self.d_model // self.num_heads

    @property
    def hidden_units(self) -> int:
        """Return the hidden units of the feed-forward block.

        Two matrices of 3/2 d_ff weigh what three of d_ff weigh.
        """
        return self.d_ff if self.feed_forward == "swiglu" else self.d_ff * 3 // 2
