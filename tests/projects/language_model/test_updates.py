"""Updates: schedule, batches, accumulation, clipping, which parameters decay; and what a device could do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from projects.language_model.config import Config, default_d_ff, shape_of
from projects.language_model.data import Tokens, make_batch
from projects.language_model.device import flops_per_token, open_device, peak_flops
from projects.language_model.problem import DeviceProblem
from projects.language_model.schedule import learning_rate_at
from projects.language_model.state import Progress
from projects.language_model.updates import Updater, batch_starts, make_optimizer
from tests.projects.language_model.small import small, small_model

CPU = torch.device("cpu")


def after(updates: int, tokens: Tokens, **fields: object) -> torch.Tensor:
    """All parameters after some updates, in float64."""
    config = small(dtype="float64", **fields)
    model = small_model()
    progress = Progress(model=model, optimizer=make_optimizer(model, config))
    Updater(config, tokens, CPU, model).train_to(progress, updates)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_schedule_warms_up_follows_a_cosine_and_ends_on_its_floor() -> None:
    # By hand: 10 updates, 2 of warm-up; halfway through the cosine, (0.8 + 0.2) / 2; at a quarter cos(pi/4).
    config = Config(learning_rate=0.8, min_learning_rate=0.2, warmup_iters=2, max_iterations=10)
    quarter = 0.2 + 0.5 * (1 + math.sqrt(0.5)) * 0.6
    rates = [learning_rate_at(config, update) for update in (0, 1, 2, 4, 6, 10)]
    assert rates == pytest.approx([0.0, 0.4, 0.8, quarter, 0.5, 0.2])


def test_a_floor_that_is_not_given_is_a_tenth_of_the_rate() -> None:
    assert learning_rate_at(Config(learning_rate=0.5), 300) == pytest.approx(0.05)


def test_a_schedule_of_warm_up_alone_ends_at_its_highest_rate() -> None:
    config = Config(learning_rate=0.5, warmup_iters=4, max_iterations=4)
    assert [learning_rate_at(config, update) for update in (2, 4)] == [0.25, 0.5]


def test_a_batch_depends_on_seed_and_update_alone() -> None:
    starts = [
        batch_starts(small(seed=seed), update, 1000).tolist() for seed, update in ((0, 1), (0, 1), (0, 2), (1, 1))
    ]
    assert starts[0] == starts[1]
    assert len({str(start) for start in starts}) == 3


def test_batches_reach_the_first_and_the_last_token_of_the_file() -> None:
    config = small(batch_size=2000, context_length=4)
    starts = batch_starts(config, 1, 8)  # 0..3: four places for 4 tokens and the next one in 8
    assert (starts.min(), starts.max()) == (0, 3)


def test_targets_are_the_inputs_one_token_on() -> None:
    inputs, targets = make_batch(np.arange(10, dtype=np.uint16), np.array([0, 5]), 4)
    assert inputs.tolist() == [[0, 1, 2, 3], [5, 6, 7, 8]]
    assert targets.tolist() == [[1, 2, 3, 4], [6, 7, 8, 9]]


def test_a_batch_in_parts_gives_the_update_of_the_whole(tokens: Tokens) -> None:
    # The mean over equal parts of their means is the mean over all.
    assert torch.allclose(after(3, tokens), after(3, tokens, accumulation_steps=4), atol=1e-10)


def test_clipping_leaves_a_gradient_of_the_given_norm(tokens: Tokens) -> None:
    config, model = small(grad_clip=0.01, dtype="float64"), small_model()
    progress = Progress(model=model, optimizer=make_optimizer(model, config))
    stretch = Updater(config, tokens, CPU, model).train_to(progress, 1)
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    assert norm == pytest.approx(0.01, rel=1e-3)
    assert stretch.grad_norm > 0.1  # before clipping


def test_weight_decay_shrinks_matrices_and_leaves_norms() -> None:
    # Loshchilov & Hutter: with no gradient, w <- w (1 - lr x decay) each update.
    config, model = small(learning_rate=0.1, weight_decay=0.5), small_model()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = make_optimizer(model, config)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.allclose(parameter, old * (0.95 if old.dim() == 2 else 1.0))


def test_an_update_is_adamw_s_written_out(tokens: Tokens) -> None:
    # First update, bias corrected: m^ = g, v^ = g^2, so w <- w (1 - lr decay) - lr g / (|g| + eps).
    config, model = small(grad_clip=None, warmup_iters=1, learning_rate=0.01, dtype="float64"), small_model()
    progress = Progress(model=model, optimizer=make_optimizer(model, config))
    head = model.head.weight
    before = head.detach().clone()
    Updater(config, tokens, CPU, model).train_to(progress, 1)
    expected = before * (1 - 0.01 * 0.1) - 0.01 * head.grad / (head.grad.abs() + 1e-8)
    assert torch.allclose(head, expected, atol=1e-12)


def test_flops_of_the_17m_model_are_counted_as_in_palm() -> None:
    # Chowdhery et al., appendix B: 6 N + 12 L H Q T = 6 x 17,576,448 + 12 x 4 x 512 x 256 a token.
    shape = shape_of(Config(vocab_size=10_000, context_length=256, d_model=512, num_layers=4, num_heads=16, d_ff=1344))
    assert flops_per_token(shape, 17_576_448) == 105_458_688 + 6_291_456


@pytest.mark.parametrize(
    ("name", "dtype", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989e12),
        ("NVIDIA H100 PCIe", "bfloat16", 756e12),
        ("NVIDIA A100-SXM4-80GB", "float32", 19.5e12),
        ("NVIDIA L40S", "bfloat16", 362e12),
        ("NVIDIA H200", "float64", None),
        ("cpu", "float32", None),
    ],
)
def test_peaks_are_those_of_the_data_sheets_and_otherwise_unknown(name: str, dtype: str, peak: float | None) -> None:
    assert peak_flops(name, dtype) == peak


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named_with_the_way_out() -> None:
    with pytest.raises(
        DeviceProblem, match=r"^device: 'cuda' is not available: torch finds no CUDA; set it to cpu or auto$"
    ):
        open_device(Config(device="cuda"))


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceProblem, match=r"^compile: torch\.compile needs a C\+\+ compiler"):
        open_device(Config(device="cpu", compile=True))


def test_the_default_d_ff_is_8_3_of_the_width_in_multiples_of_64() -> None:
    assert [default_d_ff(width) for width in (512, 128, 16)] == [1344, 320, 64]  # 1344 for 512: CS336, assignment 1
