"""EfficientNet-B0 against torchvision's own, and the small CNN."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from projects.image_classifier.models import build_network
from projects.image_classifier.models.efficientnet import STAGES, InvertedBottleneck
from tests.projects.image_classifier.reference_weights import formula_input, formula_weights

B0 = {"dropout": 0.2, "drop_path": 0.2}


def b0(n_classes: int) -> torch.nn.Module:
    return build_network("efficientnet_b0", n_classes, B0)


def test_efficientnet_b0_has_the_published_number_of_parameters() -> None:
    # torchvision's documentation of EfficientNet_B0_Weights: num_params 5288548.
    assert sum(parameter.numel() for parameter in b0(1000).parameters()) == 5_288_548


def test_names_and_shapes_in_their_order_are_torchvisions() -> None:
    # sha256 of the JSON list of (name, shape) of torchvision 0.29.2's efficientnet_b0().state_dict(): 360 entries.
    names = [[name, list(value.shape)] for name, value in b0(1000).state_dict().items()]
    assert (names[0], names[-2]) == (["features.0.0.weight", [32, 3, 3, 3]], ["classifier.1.weight", [1000, 1280]])
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    assert digest == "cadbdd9b70cf013190643a712f4aae294858283b2b6b3742db704ac1740568cf"


def test_the_forward_pass_gives_torchvisions_outputs() -> None:
    # torchvision 0.29.2, efficientnet_b0().eval() in float64 on the weights and the input of reference_weights:
    # outputs 0, 200, 400, 600, 800 of two images.
    expected = [
        [-0.15666807738790875, 0.114148963987371, 0.0678050045344061, 0.3456107071565324, 0.10276166009937002],
        [-0.15520067086830713, 0.11146425220258635, 0.06579410206258851, 0.3454571638177054, 0.10034459824986178],
    ]
    network = b0(1000).eval()
    weights = formula_weights({name: tuple(value.shape) for name, value in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    with torch.inference_mode():
        outputs = network.double()(torch.from_numpy(formula_input()).double())
    assert outputs[:, ::200].numpy() == pytest.approx(np.array(expected), abs=1e-10)


def test_weights_are_drawn_as_torchvision_draws_them() -> None:
    # torchvision 0.29.2: sums in float64 after torch.manual_seed(0); efficientnet_b0(num_classes=10).
    torch.manual_seed(0)
    drawn = b0(10).state_dict()
    sums = [float(drawn[n].double().sum()) for n in ("features.0.0.weight", "features.4.1.block.2.fc1.weight")]
    assert sums == pytest.approx([2.937802698550513, -24.378897795435478], abs=1e-9)
    assert float(drawn["classifier.1.weight"].double().sum()) == pytest.approx(25.023079209060256, abs=1e-9)


def test_stochastic_depth_leaves_a_branch_out_or_scales_it_up() -> None:
    # arXiv:1603.09382 in the form that keeps the mean: x + branch / (1 - p) with probability 1 - p, else x.
    block = InvertedBottleneck(STAGES[4], is_first=False, drop_path=0.25).eval()
    x = torch.randn(64, 112, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        branch = block.block(x)
        block.training = True  # the block alone: its batch norms keep their statistics
        torch.manual_seed(0)
        added = block(x) - x
    is_kept = added.flatten(1).abs().amax(1) > 0
    assert torch.allclose(added[is_kept], branch[is_kept] / 0.75, atol=1e-5)
    # 64 rows kept with probability 0.75: mean 48, standard deviation 3.5.
    assert 37 <= int(is_kept.sum()) <= 59


def test_the_cnn_gives_scores_and_counts_parameters_as_by_hand() -> None:
    network = build_network("cnn", 5, {"width": 4, "blocks": 2, "dropout": 0.0})
    assert network(torch.zeros(2, 3, 12, 12)).shape == (2, 5)
    # Kernels 9 (3x4 + 4x4 + 4x8 + 8x8), two numbers for each of 24 normed channels, classifier 8x5 + 5.
    assert sum(p.numel() for p in network.parameters()) == 9 * (12 + 16 + 32 + 64) + 2 * 24 + 45
