"""Define EfficientNet-B0 with torchvision's parameter names, so that its published weights load as they are.

Tan & Le, arXiv:1905.11946: the network of table 1, found by search; blocks are mobile inverted bottlenecks
(Sandler et al., arXiv:1801.04381) with squeeze and excitation (Hu et al., arXiv:1709.01507) and stochastic depth
(Huang et al., arXiv:1603.09382). torchvision itself cannot be installed beside a CPU build of PyTorch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn


class Stage(NamedTuple):
    """Holds one row of table 1 of the paper: blocks of one kind, the first of which changes side and channels."""

    expansion: int
    kernel: int
    stride: int
    n_in: int
    n_out: int
    n_blocks: int


STAGES = (
    Stage(1, 3, 1, 32, 16, 1),
    Stage(6, 3, 2, 16, 24, 2),
    Stage(6, 5, 2, 24, 40, 2),
    Stage(6, 3, 2, 40, 80, 3),
    Stage(6, 5, 1, 80, 112, 3),
    Stage(6, 5, 2, 112, 192, 4),
    Stage(6, 3, 1, 192, 320, 1),
)
N_FEATURES = 1280  # channels before the classifier


class EfficientNetB0(nn.Module):
    """Builds EfficientNet-B0; it has 5,288,548 parameters with 1,000 classes.

    Args:
        n_classes: outputs.
        dropout: of the pooled features; 0.2 in the paper.
        drop_path: probability to leave out the last block's branch for a row, growing linearly from 0 over the
            blocks; 0.2 in the paper.
    """

    def __init__(self, n_classes: int, *, dropout: float, drop_path: float) -> None:
        super().__init__()
        n_blocks = sum(stage.n_blocks for stage in STAGES)
        layers: list[nn.Module] = [conv_norm(3, STAGES[0].n_in, kernel=3, stride=2)]
        n_before = 0
        for stage in STAGES:
            rates = [drop_path * (n_before + index) / n_blocks for index in range(stage.n_blocks)]
            layers.append(nn.Sequential(*(InvertedBottleneck(stage, i == 0, rate) for i, rate in enumerate(rates))))
            n_before += stage.n_blocks
        layers.append(conv_norm(STAGES[-1].n_out, N_FEATURES, kernel=1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(N_FEATURES, n_classes))
        for module in self.modules():
            _draw_weights(module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores before softmax, (row, class)."""
        x = self.avgpool(self.features(x))  # (row, 3, h, w) -> (row, 1280, 1, 1)
        return self.classifier(torch.flatten(x, 1))  # (row, class)


class InvertedBottleneck(nn.Module):
    """Widen by a 1x1 convolution, filter each channel by itself, weigh channels, narrow; added to its input.

    Args:
        stage: the row of STAGES that the block belongs to.
        is_first: whether it changes stride and channels, as the first of its stage; it then adds nothing.
        drop_path: probability to leave the branch out for a row while training.
    """

    def __init__(self, stage: Stage, is_first: bool, drop_path: float) -> None:
        super().__init__()
        n_in, stride = (stage.n_in, stage.stride) if is_first else (stage.n_out, 1)
        n_wide = n_in * stage.expansion
        widen = [conv_norm(n_in, n_wide, kernel=1)] if stage.expansion != 1 else []
        self.block = nn.Sequential(
            *widen,
            conv_norm(n_wide, n_wide, kernel=stage.kernel, stride=stride, groups=n_wide),
            ChannelWeights(n_wide, max(1, n_in // 4)),
            conv_norm(n_wide, stage.n_out, kernel=1, has_activation=False),
        )
        self.is_added = stride == 1 and n_in == stage.n_out
        self.drop_path = drop_path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (row, n_in, h, w) -> (row, n_out, h / stride, w / stride)."""
        branch = self.block(x)
        if not self.is_added:
            return branch
        if self.training and self.drop_path:
            kept = torch.empty(len(x), 1, 1, 1, dtype=x.dtype, device=x.device).bernoulli_(1 - self.drop_path)
            branch = branch * kept / (1 - self.drop_path)
        return x + branch


class ChannelWeights(nn.Module):
    """Squeeze and excitation: a factor in (0, 1) for each channel, from the means over all places."""

    def __init__(self, n_channels: int, n_squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(n_channels, n_squeezed, 1)
        self.fc2 = nn.Conv2d(n_squeezed, n_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weight the channels of (row, channel, h, w), which keeps its shape."""
        means = x.mean((2, 3), keepdim=True)  # (row, channel, 1, 1)
        return x * torch.sigmoid(self.fc2(nn.functional.silu(self.fc1(means))))


def conv_norm(
    n_in: int, n_out: int, *, kernel: int, stride: int = 1, groups: int = 1, has_activation: bool = True
) -> nn.Sequential:
    """Make a convolution that keeps the side (but for its stride), batch norm and, if wanted, SiLU."""
    padding = (kernel - 1) // 2
    convolution = nn.Conv2d(n_in, n_out, kernel, stride, padding, groups=groups, bias=False)
    activation = [nn.SiLU(inplace=True)] if has_activation else []
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out), *activation)


def _draw_weights(module: nn.Module) -> None:
    """He's normal weights for convolutions, uniform ones for the classifier, as torchvision draws them."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        bound = module.out_features**-0.5
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.zeros_(module.bias)
