"""The transformer: its properties, its size, its gradient, against theory, hand counts and another implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from projects.language_model.config import Config, shape_of
from projects.language_model.model import Attention, Cache, Transformer, count_parameters, rotate, rotation_table
from tests.projects.language_model.small import small, small_model, some_tokens

ABLATIONS = [
    {},
    {"norm": "post"},
    {"norm": "none"},
    {"position": "none"},
    {"feed_forward": "silu"},
    {"tie_weights": True},
]


def loss_of(model: Transformer, tokens: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


@pytest.mark.parametrize("fields", ABLATIONS, ids=str)
def test_a_later_token_cannot_change_an_earlier_logit(fields: dict) -> None:
    model, tokens = small_model(**fields), some_tokens(2, 10)
    changed = tokens.clone()
    changed[:, 6] = (changed[:, 6] + 1) % 300
    difference = (model(tokens) - model(changed)).abs().amax(dim=(0, 2))  # (t,)
    assert (difference[:6] < 1e-12).all()
    assert (difference[6:] > 1e-6).all()


def test_shifting_all_positions_leaves_attention_scores_alone() -> None:
    # Su et al., arXiv:2104.09864, section 3.1: q_m . k_n depends on m - n alone.
    cos, sin = (part.double() for part in rotation_table(shape_of(small(context_length=64))))
    queries, keys = torch.randn(2, 1, 1, 8, cos.shape[1] * 2, dtype=torch.float64)
    scores = [
        rotate(queries, cos[at : at + 8], sin[at : at + 8]) @ rotate(keys, cos[at : at + 8], sin[at : at + 8]).mT
        for at in (0, 37)
    ]
    assert torch.allclose(*scores, atol=1e-6)  # the table is in float32
    assert not torch.allclose(scores[0], queries @ keys.mT, atol=1e-2)


def test_a_rotation_turns_each_pair_by_position_times_its_frequency() -> None:
    # As complex numbers: (x0 + i x1) e^(i m theta^(-2j/e)); by NumPy, for position 3 of heads of width 8.
    cos, sin = (part.double() for part in rotation_table(shape_of(small())))
    x = torch.arange(1.0, 9.0, dtype=torch.float64)
    turned = rotate(x.view(1, 1, 1, 8), cos[3:4], sin[3:4]).flatten().numpy()
    pairs = (x.numpy()[0::2] + 1j * x.numpy()[1::2]) * np.exp(3j * 10_000.0 ** (-np.arange(4) * 2 / 8))
    assert turned == pytest.approx(np.stack([pairs.real, pairs.imag], -1).ravel(), abs=1e-6)


def test_without_positions_the_order_of_earlier_tokens_does_not_matter_to_one_block() -> None:
    # The last token's attention is a sum over a set; with rotations it is not.
    tokens = some_tokens(1, 8)
    shuffled = torch.cat([tokens[:, :-1].flip(1), tokens[:, -1:]], dim=1)

    def change(position: str) -> float:
        model = small_model(position=position, num_layers=1)
        return (model(tokens)[0, -1] - model(shuffled)[0, -1]).abs().max().item()

    assert change("none") < 1e-12
    assert change("rope") > 1e-6


def test_attention_agrees_with_softmax_of_scaled_products_written_out() -> None:
    # Vaswani et al., arXiv:1706.03762, equation 1, in NumPy, one head at a time.
    torch.manual_seed(0)
    attention = Attention(shape_of(small(position="none"))).double()
    x = torch.randn(1, 5, 16, dtype=torch.float64)
    weights = {name: part.detach().numpy() for name, part in attention.named_parameters()}
    heads = []
    for head in (slice(0, 8), slice(8, 16)):
        q, k, v = (x[0].numpy() @ weights[f"{name}.weight"][head].T for name in ("query", "key", "value"))
        scores = np.where(np.tri(5) == 1, q @ k.T / math.sqrt(8), -np.inf)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        heads.append(shares / shares.sum(1, keepdims=True) @ v)
    expected = np.concatenate(heads, axis=1) @ weights["out.weight"].T
    none = (torch.empty(0), torch.empty(0))
    assert attention(x, none, None, 0)[0].detach().numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("fields", ABLATIONS, ids=str)
def test_tokens_one_at_a_time_give_the_logits_of_all_at_once(fields: dict) -> None:
    model, tokens, cache = small_model(**fields), some_tokens(2, 9), Cache()
    parts = [model(tokens[:, :4], cache), *(model(tokens[:, at : at + 1], cache) for at in range(4, 9))]
    assert torch.allclose(torch.cat(parts, dim=1), model(tokens), atol=1e-12)


@pytest.mark.parametrize("fields", ABLATIONS, ids=str)
def test_the_gradient_agrees_with_central_differences(fields: dict) -> None:
    # (L(w + h u) - L(w - h u)) / 2h along a random direction u, error O(h^2), float64.
    model, tokens = small_model(**fields), some_tokens(2, 9)
    generator = torch.Generator().manual_seed(1)
    direction = [torch.randn(p.shape, dtype=p.dtype, generator=generator) for p in model.parameters()]
    loss_of(model, tokens).backward()
    slope = sum(float((p.grad * u).sum()) for p, u in zip(model.parameters(), direction, strict=True))

    def moved(by: float) -> float:
        with torch.no_grad():
            for parameter, u in zip(model.parameters(), direction, strict=True):
                parameter += by * u
            return loss_of(model, tokens).item()

    h = 1e-5
    ahead, behind = moved(h), moved(-2 * h)
    assert slope == pytest.approx((ahead - behind) / (2 * h), rel=1e-5)


def test_gradients_in_float32_agree_with_those_in_float64() -> None:
    tokens, gradients = some_tokens(4, 17), []
    for dtype in (torch.float32, torch.float64):
        model = small_model(dtype=dtype)
        loss_of(model, tokens).backward()
        gradients.append(torch.cat([p.grad.flatten().double() for p in model.parameters()]))
    single, double = gradients
    assert float((single - double).norm() / double.norm()) < 1e-5


def test_the_loss_at_the_start_is_that_of_normal_logits_around_ln_vocabulary() -> None:
    # The final norm gives vectors of squared length d, the head's weights variance 2/(d + v): logits have variance
    # 2d/(d + v) (cut at 3 sd: 0.973 of it), and E[logsumexp] - E[logit] = ln v + variance/2 for many normal logits.
    model = Transformer(shape_of(Config()), torch.Generator().manual_seed(0))
    tokens = torch.randint(0, 512, (64, 65), generator=torch.Generator().manual_seed(1))
    expected = math.log(512) + 0.973 * 128 / (128 + 512)
    assert loss_of(model, tokens).item() == pytest.approx(expected, abs=0.05)


def test_the_17m_config_has_17_57_million_parameters_in_its_matrices_without_the_input_embedding() -> None:
    # By hand: blocks 4 (4 x 512^2 + 3 x 512 x 1344) = 12,451,840; head 512 x 10,000 = 5,120,000; norms 9 x 512.
    shape = shape_of(Config(vocab_size=10_000, context_length=256, d_model=512, num_layers=4, num_heads=16, d_ff=1344))
    n_all, n_multiplied = count_parameters(Transformer(shape))
    assert (n_multiplied, n_all - n_multiplied) == (12_451_840 + 5_120_000 + 4_608, 5_120_000)


def test_silu_has_as_many_parameters_as_swiglu() -> None:
    assert count_parameters(small_model()) == count_parameters(small_model(feed_forward="silu"))


@pytest.mark.parametrize(("norm", "n_norms"), [("pre", 5), ("post", 4), ("none", 0)])
def test_the_kind_of_norm_decides_how_many_there_are(norm: str, n_norms: int) -> None:
    # Two a block, two blocks; and one before the head where norms come first.
    assert sum(p.numel() for p in small_model(norm=norm).parameters() if p.dim() == 1) == 16 * n_norms


def test_post_norm_gives_a_residual_stream_of_unit_mean_square() -> None:
    seen = []
    model = small_model(norm="post")
    model.blocks[1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    model(some_tokens(2, 9))
    assert seen[0].detach().square().mean(-1).numpy() == pytest.approx(np.ones((2, 9)), abs=1e-3)


def test_tied_weights_are_one_matrix() -> None:
    model = small_model(tie_weights=True)
    assert model.embedding.weight is model.head.weight
    untied = count_parameters(small_model())
    assert count_parameters(model) == (untied[0] - 300 * 16, untied[1])


def test_equal_seeds_draw_equal_weights_and_others_others() -> None:
    first, again, other = (small_model(seed).head.weight for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
