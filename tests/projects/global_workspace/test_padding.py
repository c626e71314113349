"""A padded workspace is the smaller one: equal initial weights, terms and gradients, and zeros beyond its width."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.global_workspace.config import TERMS
from projects.global_workspace.losses import Parts, Rows, terms_of
from projects.global_workspace.model import Parameters, fixed_shares, initial_parameters, mask_of
from tests.projects.global_workspace.training import QUICKLY_COMPILED, quick

WIDTH, DEPTH = 5, 1  # of the workspace; the encoders' last layer
PARTS = Parts({"visual": 3, "attributes": 4}, {"visual": (0,), "attributes": (0,)})


class Found(NamedTuple):
    """Of one padding."""

    initial: dict[str, Any]
    terms: np.ndarray  # (term,)
    gradient: dict[str, Any]  # of the sum of all terms


def found_with(max_dim: int | None) -> Found:
    config = quick(model__workspace_dim=WIDTH, model__max_workspace_dim=max_dim)
    rng = np.random.default_rng(0)
    domains = {domain: jnp.asarray(rng.standard_normal((6, n)), jnp.float32) for domain, n in PARTS.dims.items()}
    rows = Rows(domains, jnp.asarray(rng.integers(0, 2, (6, 1)), jnp.float32))
    initial, mask = initial_parameters(config, PARTS.dims), jnp.asarray(mask_of(config))

    def losses(parameters: Parameters) -> tuple[jax.Array, jax.Array]:
        terms = terms_of(parameters, mask, rows, rows, fixed_shares(config), PARTS)
        values = jnp.stack([terms[term] for term in TERMS])
        return values.sum(), values

    (_, terms), gradient = jax.jit(jax.value_and_grad(losses, has_aux=True), compiler_options=QUICKLY_COMPILED)(initial)
    return Found(initial, np.asarray(terms), jax.device_get(gradient))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain() -> Found:
    return found_with(None)


@pytest.fixture(scope="module")
def padded() -> Found:
    return found_with(9)


def inside(tree: dict[str, Any]) -> dict[str, np.ndarray]:
    """Leaves by path, cut to the width of the workspace."""
    leaves = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
    for domain in PARTS.dims:
        for part in ("weight", "bias"):
            name = f"['encoders']['{domain}'][{DEPTH}]['{part}']"
            leaves[name] = leaves[name][..., :WIDTH]
        name = f"['decoders']['{domain}'][0]['weight']"
        leaves[name] = leaves[name][:WIDTH]
    return leaves


def test_initial_weights_do_not_depend_on_the_padding(plain: Found, padded: Found) -> None:
    for name, array in inside(plain.initial).items():
        np.testing.assert_array_equal(inside(padded.initial)[name], array, err_msg=name)


def test_terms_are_those_of_the_smaller_workspace(plain: Found, padded: Found) -> None:
    # Sums have more zeros in them, so only the order of float32 additions may differ.
    np.testing.assert_allclose(padded.terms, plain.terms, rtol=1e-5)


def test_gradients_are_those_of_the_smaller_workspace(plain: Found, padded: Found) -> None:
    found = inside(padded.gradient)
    for name, array in inside(plain.gradient).items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_gradient_of_padded_coordinates_is_exactly_zero(padded: Found) -> None:
    # So AdamW leaves their zeros where they are: its step is lr * (0 / (0 + eps) + decay * 0).
    for domain in PARTS.dims:
        last, first = padded.gradient["encoders"][domain][DEPTH], padded.gradient["decoders"][domain][0]
        assert not last["weight"][:, WIDTH:].any()
        assert not last["bias"][WIDTH:].any()
        assert not first["weight"][WIDTH:].any()
        assert first["weight"][:WIDTH].any()
