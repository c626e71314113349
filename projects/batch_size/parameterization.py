"""Compute initial scales, forward multipliers and learning-rate multipliers of each layer from the width.

One table has them all, because a parameterisation is only right as a whole. Layer l computes h_l = c_l W_l a_(l-1) +
b_l, with W_l ~ init_scale N(0, s_l^2), b_l = 0, learning rate lr r_l. n is a layer's fan-in, N the width, m = N /
base_width.

    parameterisation   layer     s            c           r (sgd, momentum)   r (adam)   r of bias (adam: 1)
    standard           all       1/sqrt(n)    1           1                   1          1
    ntk                all       1            1/sqrt(n)   1                   1          1
    mup                input     1/sqrt(n)    1           m                   1          m
                       hidden    1/sqrt(n)    1           1                   1/m        m
                       readout   1/sqrt(n/m)  1/m         m                   1          1
    mean_field         input     1            1/sqrt(n)   N                   1          N
                       hidden    1            1/sqrt(n)   N                   1/sqrt(N)  N
                       readout   1            1/N         N                   1          1

Sources: standard with the scales of LeCun et al. (1998). ntk: Jacot et al., arXiv:1806.07572. mup: Yang & Hu,
arXiv:2011.14522; Yang et al., arXiv:2203.03466, table 8; with base widths as in microsoft/mup (MuReadout,
MuSGD, MuAdam): it is `standard` at N = base_width. mean_field: Atanasov et al., arXiv:2410.04642, who call it
muP: weights N(0, 1), readout w h / N, lr = N eta_0 for every parameter; it is `ntk` at N = 1. Its Adam column
follows from the same demand that every layer's change is of order 1 in N (Adam moves a weight by lr, whatever
its gradient). The model is (f(x; theta) - f(x; theta_0)) / gamma where it is centred, else f(x; theta) /
gamma, in every parameterisation (Atanasov et al.); gamma is in no learning rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from projects.batch_size.config import Config

Role = Literal["input", "hidden", "readout", "only"]


@dataclass(frozen=True, kw_only=True)
class LayerScales:
    """Holds one row of the table, in numbers."""

    role: Role
    fan_in: int
    fan_out: int
    init_sd: float  # of the weights, before init_scale
    multiplier: float  # on W a
    weight_lr: float  # times lr
    bias_lr: float  # times lr


def layer_scales(config: Config, n_features: int, n_outputs: int) -> tuple[LayerScales, ...]:
    """Return the rows of the table for each layer of a model, from the input to the readout.

    A model of depth 1 has no width: its only layer has the multipliers that N = base_width would give.

    Args:
        config: Gives depth, width, base width, parameterisation and optimiser.
        n_features: Columns of the input.
        n_outputs: Columns of the output.
    """
    sizes = [n_features, *[config.width] * (config.depth - 1), n_outputs]
    return tuple(
        _SCALES[config.parameterization](config, _role(index, config.depth), sizes[index], sizes[index + 1])
        for index in range(config.depth)
    )


def _role(index: int, depth: int) -> Role:
    if depth == 1:
        return "only"
    return "input" if index == 0 else "readout" if index == depth - 1 else "hidden"


def _standard(config: Config, role: Role, fan_in: int, fan_out: int) -> LayerScales:
    return LayerScales(
        role=role,
        fan_in=fan_in,
        fan_out=fan_out,
        init_sd=1 / math.sqrt(fan_in),
        multiplier=1.0,
        weight_lr=1.0,
        bias_lr=1.0,
    )


def _ntk(config: Config, role: Role, fan_in: int, fan_out: int) -> LayerScales:
    return LayerScales(
        role=role,
        fan_in=fan_in,
        fan_out=fan_out,
        init_sd=1.0,
        multiplier=1 / math.sqrt(fan_in),
        weight_lr=1.0,
        bias_lr=1.0,
    )


def _mup(config: Config, role: Role, fan_in: int, fan_out: int) -> LayerScales:
    m = config.width / config.base_width
    is_adam = config.optimizer.name == "adam"
    weight_lr: dict[Role, float] = (
        {"input": 1.0, "hidden": 1 / m, "readout": 1.0} if is_adam else {"input": m, "hidden": 1.0, "readout": m}
    )
    bias_lr: dict[Role, float] = {} if is_adam else {"input": m, "hidden": m}
    return LayerScales(
        role=role,
        fan_in=fan_in,
        fan_out=fan_out,
        init_sd=1 / math.sqrt(config.base_width if role == "readout" else fan_in),
        multiplier=1 / m if role == "readout" else 1.0,
        weight_lr=weight_lr.get(role, 1.0),
        bias_lr=bias_lr.get(role, 1.0),
    )


def _mean_field(config: Config, role: Role, fan_in: int, fan_out: int) -> LayerScales:
    n = config.width
    is_adam = config.optimizer.name == "adam"
    has_width = role != "only"
    adam_lr = 1 / math.sqrt(n) if role == "hidden" else 1.0
    return LayerScales(
        role=role,
        fan_in=fan_in,
        fan_out=fan_out,
        init_sd=1.0,
        multiplier=1 / n if role == "readout" else 1 / math.sqrt(fan_in),
        weight_lr=adam_lr if is_adam else float(n) if has_width else 1.0,
        bias_lr=float(n) if role in ("input", "hidden") and not is_adam else 1.0,
    )


_SCALES = {"standard": _standard, "ntk": _ntk, "mup": _mup, "mean_field": _mean_field}
