"""Define the transformer: pre-norm RMSNorm, SwiGLU, rotary positions, causal attention; and their ablations.

The shape of each tensor is at the end of its line: b sequences, t tokens, s tokens looked at, h heads, e width of
a head, d width of the model, f hidden units, v vocabulary.

Sources: Vaswani et al. arXiv:1706.03762; Zhang & Sennrich arXiv:1910.07467 (RMSNorm); Shazeer arXiv:2002.05202
(SwiGLU); Su et al. arXiv:2104.09864 (RoPE); Xiong et al. arXiv:2002.04745 (pre- and post-norm).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from projects.language_model.shape import Shape

NORM_EPS = 1e-5
CUT_AT = 3.0  # standard deviations at which initial weights are cut off, as in CS336 (assignment 1)


class Transformer(nn.Module):
    """Computes the scores of the next token by a decoder-only transformer."""

    def __init__(self, shape: Shape, generator: torch.Generator | None = None) -> None:
        """Build it with weights drawn by `generator`, on the CPU; None leaves torch's own, to be overwritten."""
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab_size, shape.d_model)
        self.blocks = nn.ModuleList([Block(shape) for _ in range(shape.num_layers)])
        self.final_norm = nn.RMSNorm(shape.d_model, eps=NORM_EPS) if shape.norm == "pre" else nn.Identity()
        self.head = nn.Linear(shape.d_model, shape.vocab_size, bias=False)
        if shape.tie_weights:
            self.embedding.weight = self.head.weight
        cos, sin = rotation_table(shape)
        self.register_buffer("cos", cos, persistent=False)  # (context, e/2)
        self.register_buffer("sin", sin, persistent=False)
        if generator is not None:
            self.draw_weights(generator)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Draw matrices N(0, 2/(fan in + fan out)) (Glorot & Bengio 2010), an untied embedding N(0, 1), cut at 3 sd."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _draw(module.weight, math.sqrt(2 / sum(module.weight.shape)), generator)
            elif isinstance(module, nn.Embedding) and not self.shape.tie_weights:
                _draw(module.weight, 1.0, generator)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Return scores of the next token at every position.

        Args:
            tokens: Token numbers, (b, t).
            cache: Keys and values of the tokens before these, to which theirs are added; then t is 1, or the
                cache is empty.

        Returns:
            Logits, (b, t, v).
        """
        past = cache.n_tokens if cache is not None else 0
        window = slice(past, past + tokens.shape[1])
        rotation = (self.get_buffer("cos")[window], self.get_buffer("sin")[window])
        x = self.embedding(tokens)  # (b, t, d)
        for index, block in enumerate(self.blocks):
            x = block(x, rotation, cache, index)  # (b, t, d)
        return self.head(self.final_norm(x))  # (b, t, v)


class Cache:
    """Holds keys and values of the tokens so far, one pair a block."""

    def __init__(self) -> None:
        self._pairs: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens that it holds, of the first block."""
        return self._pairs[0][0].shape[2] if self._pairs else 0

    def extended(self, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of new tokens, (b, h, t, e), to block `index`; returns all, (b, h, s, e)."""
        if index in self._pairs:
            old_keys, old_values = self._pairs[index]
            keys, values = torch.cat([old_keys, keys], dim=2), torch.cat([old_values, values], dim=2)
        self._pairs[index] = (keys, values)
        return keys, values


class Block(nn.Module):
    """Adds attention, then feed-forward, to the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.is_post = shape.norm == "post"
        self.attention = Attention(shape)
        self.feed_forward = GatedFeedForward(shape) if shape.feed_forward == "swiglu" else PlainFeedForward(shape)
        norms = [nn.Identity() if shape.norm == "none" else nn.RMSNorm(shape.d_model, eps=NORM_EPS) for _ in range(2)]
        self.attention_norm, self.feed_forward_norm = norms

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None, index: int) -> Tensor:
        """Return the residual stream after this block, (b, t, d); cosine and sine of `rotation` are (t, e/2)."""
        if self.is_post:
            x = self.attention_norm(x + self.attention(x, rotation, cache, index))  # (b, t, d)
            return self.feed_forward_norm(x + self.feed_forward(x))  # (b, t, d)
        x = x + self.attention(self.attention_norm(x), rotation, cache, index)  # (b, t, d)
        return x + self.feed_forward(self.feed_forward_norm(x))  # (b, t, d)


class Attention(nn.Module):
    """Computes causal self-attention through torch's fused kernels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.n_heads = shape.num_heads
        self.is_rotated = shape.position == "rope"
        self.query = nn.Linear(shape.d_model, shape.d_model, bias=False)
        self.key = nn.Linear(shape.d_model, shape.d_model, bias=False)
        self.value = nn.Linear(shape.d_model, shape.d_model, bias=False)
        self.out = nn.Linear(shape.d_model, shape.d_model, bias=False)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None, index: int) -> Tensor:
        """Return what each token takes from those up to it, (b, t, d)."""
        queries, keys, values = (self._heads(part(x)) for part in (self.query, self.key, self.value))  # (b, h, t, e)
        if self.is_rotated:
            queries, keys = rotate(queries, *rotation), rotate(keys, *rotation)  # (b, h, t, e)
        if cache is not None:
            keys, values = cache.extended(index, keys, values)  # (b, h, s, e)
        is_causal = queries.shape[2] == keys.shape[2]  # else one token looks at all before it
        mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=is_causal)  # (b, h, t, e)
        return self.out(mixed.transpose(1, 2).flatten(2))  # (b, t, d)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (b, t, d) -> (b, h, t, e)


class GatedFeedForward(nn.Module):
    """Computes SwiGLU: W2 (SiLU(W1 x) * W3 x)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.d_model, shape.hidden_units, bias=False)
        self.up = nn.Linear(shape.d_model, shape.hidden_units, bias=False)
        self.down = nn.Linear(shape.hidden_units, shape.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output of each token by itself."""
        return self.down(functional.silu(self.gate(x)) * self.up(x))  # (b, t, d) -> (b, t, f) -> (b, t, d)


class PlainFeedForward(nn.Module):
    """Computes W2 SiLU(W1 x)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.up = nn.Linear(shape.d_model, shape.hidden_units, bias=False)
        self.down = nn.Linear(shape.hidden_units, shape.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output of each token by itself."""
        return self.down(functional.silu(self.up(x)))  # (b, t, d) -> (b, t, f) -> (b, t, d)


def rotation_table(shape: Shape) -> tuple[Tensor, Tensor]:
    """Compute cosine and sine of position times theta^(-2i/e), each (context, e/2), in float32."""
    powers = torch.arange(shape.d_head // 2, dtype=torch.float64) * 2 / shape.d_head
    angles = torch.outer(torch.arange(shape.context_length, dtype=torch.float64), shape.rope_theta**-powers)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of neighbouring numbers by its position's angle: (b, h, t, e), (t, e/2) -> (b, h, t, e)."""
    even, odd = x[..., 0::2], x[..., 1::2]  # (b, h, t, e/2)
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)  # (b, h, t, e/2, 2)
    return turned.flatten(-2).to(x.dtype)  # (b, h, t, e)


def count_parameters(model: Transformer) -> tuple[int, int]:
    """Count all parameters, and those without the input embedding (a tied matrix is the output's and counts)."""
    n_all = sum(parameter.numel() for parameter in model.parameters())
    n_embedding = 0 if model.shape.tie_weights else model.embedding.weight.numel()
    return n_all, n_all - n_embedding


def _draw(weight: Tensor, std: float, generator: torch.Generator) -> None:
    nn.init.trunc_normal_(weight, std=std, a=-CUT_AT * std, b=CUT_AT * std, generator=generator)
