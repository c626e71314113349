"""Define the model: encoders into the workspace, fusion, decoders out of it, as pure functions of parameters.

Facts: ruflab/shimmer, modules/gw_module.py and selection.py (MIT). A workspace may be padded: the coordinates
beyond its width are held at zero by a mask, so that nothing goes into them and nothing comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from projects.global_workspace.config import Config
from projects.global_workspace.data.config import DOMAINS

# The contrastive term's scale is exp of a trained number, from 1/0.07 up to 100 (Radford et al., arXiv:2103.00020).
_LOG_SCALE, _HIGHEST_SCALE = float(np.log(1 / 0.07)), 100.0


class Layer(TypedDict):
    """Holds a linear layer."""

    weight: jax.Array  # (fan_in, fan_out)
    bias: jax.Array  # (fan_out,)


class Parameters(TypedDict):
    """Holds all that is trained."""

    encoders: dict[str, tuple[Layer, ...]]  # by domain
    decoders: dict[str, tuple[Layer, ...]]  # by domain: the vector, then a logit for each target it gives
    log_scale: jax.Array  # ()


class Decoded(NamedTuple):
    """Holds the outputs of one decoder."""

    vector: jax.Array  # (row, d)
    logits: jax.Array  # (row, target)


def initial_parameters(config: Config, dims: Mapping[str, int]) -> Parameters:
    """Draw the initial weights of one member, on the host.

    Weights and biases are uniform in +-1/sqrt(fan_in), PyTorch's default, with a stream for each layer. Those of
    padded coordinates are 0, so that the others are those of the workspace without padding.

    Args:
        config: Gives the seed and the sizes.
        dims: Domain -> size of its vector.
    """
    own, model = config.model, {}
    decoder_hidden = own.decoder_hidden_dim or own.hidden_dim
    for kind, part in enumerate(("encoders", "decoders")):
        model[part] = {}
        for number, domain in enumerate(DOMAINS):
            n_vector = dims[domain]
            if part == "encoders":
                sizes = [n_vector, *[own.hidden_dim] * (own.n_layers + 1), own.workspace_dim]
            else:
                n_out = n_vector + len(config.targets_of(domain))
                sizes = [own.workspace_dim, *[decoder_hidden] * (own.n_layers + 1), n_out]
            ends = enumerate(pairwise(sizes))
            model[part][domain] = [_drawn(i, o, [config.seed, 0, kind, number, depth]) for depth, (i, o) in ends]
    extra = own.padded_dim - own.workspace_dim
    for domain in DOMAINS:
        out, into = model["encoders"][domain][-1], model["decoders"][domain][0]
        out["weight"] = np.pad(out["weight"], ((0, 0), (0, extra)))
        out["bias"] = np.pad(out["bias"], (0, extra))
        into["weight"] = np.pad(into["weight"], ((0, extra), (0, 0)))
    return Parameters(
        encoders={domain: tuple(layers) for domain, layers in model["encoders"].items()},
        decoders={domain: tuple(layers) for domain, layers in model["decoders"].items()},
        log_scale=np.float32(_LOG_SCALE),  # type: ignore[typeddict-item]  # a host array until it is put on the device
    )


def mask_of(config: Config) -> np.ndarray:
    """Return 1 for the coordinates of the workspace, 0 for those that pad it: float32 (padded_dim,)."""
    return (np.arange(config.model.padded_dim) < config.model.workspace_dim).astype(np.float32)


def _drawn(fan_in: int, fan_out: int, stream: list[int]) -> dict[str, np.ndarray]:
    rng, bound = np.random.default_rng(stream), fan_in**-0.5
    return {
        "weight": rng.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32),
        "bias": rng.uniform(-bound, bound, fan_out).astype(np.float32),
    }


def perceptron(layers: tuple[Layer, ...], x: jax.Array) -> jax.Array:
    """Apply linear layers with ReLU between them: (row, fan_in) -> (row, fan_out)."""
    for depth, layer in enumerate(layers):
        x = jax.nn.relu(x) if depth else x
        x = x @ layer["weight"] + layer["bias"]
    return x


def encode(parameters: Parameters, domain: str, x: jax.Array, mask: jax.Array) -> jax.Array:
    """Encode a domain, before fusion, zero outside of the mask: (row, d) -> (row, workspace)."""
    return perceptron(parameters["encoders"][domain], x) * mask


def fuse(encodings: Mapping[str, jax.Array], shares: Mapping[str, jax.Array | float]) -> jax.Array:
    """Compute the workspace: tanh of the shares of the encodings, (row, workspace)."""
    return jnp.tanh(sum(shares[domain] * encoding for domain, encoding in encodings.items()))


def decode(parameters: Parameters, domain: str, z: jax.Array, n_vector: int) -> Decoded:
    """Decode a domain's vector of `n_vector` numbers and the logits of its targets from the workspace."""
    out = perceptron(parameters["decoders"][domain], z)
    return Decoded(out[:, :n_vector], out[:, n_vector:])


def logit_scale(parameters: Parameters) -> jax.Array:
    """Return the factor of cosines in the contrastive term."""
    return jnp.minimum(jnp.exp(parameters["log_scale"]), _HIGHEST_SCALE)


def fixed_shares(config: Config) -> dict[str, float]:
    """Return each domain's share by `model.fusion_weights`."""
    return {domain: getattr(config.model.fusion_weights, domain) for domain in DOMAINS}


def random_shares(key: jax.Array, n_rows: int, temperature: float) -> dict[str, jax.Array]:
    """Draw each domain's share of each row, (row, 1): softmax over the domains of U(0, 1) / temperature."""
    drawn = jax.random.uniform(key, (n_rows, len(DOMAINS)))
    shares = jax.nn.softmax(drawn / temperature, axis=1)
    return {domain: shares[:, i : i + 1] for i, domain in enumerate(DOMAINS)}
