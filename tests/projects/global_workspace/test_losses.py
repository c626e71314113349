"""The terms of the loss against hand calculation, and their gradients against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from projects.global_workspace.config import TERMS
from projects.global_workspace.losses import Coefficients, Parts, Rows, contrastive_term, terms_of, total, unit_rows
from projects.global_workspace.model import Layer, Parameters, initial_parameters
from tests.projects.global_workspace.training import QUICKLY_COMPILED, quick

V, A = 0.5, -0.8  # the one item: one number in each domain
INTO = {"visual": 0.7, "attributes": 1.3}  # encoders multiply by these
OUT = {"visual": 1.1, "attributes": 0.9}  # decoders by these
SHARES = {"visual": 0.25, "attributes": 0.75}
BOTH = Parts({"visual": 2, "attributes": 2}, {"visual": (0,), "attributes": (0,)})
LOGIT = 0.4  # the attribute decoder's for its one target, whatever the workspace
PARTS = Parts({"visual": 1, "attributes": 1}, {"visual": (), "attributes": (0,)})


def times(*factors: float, bias: float = 0.0) -> tuple[Layer, Layer]:
    """A ReLU network that multiplies its one input by each factor: relu(x) - relu(-x) is x; `bias` on the last."""
    biases = jnp.zeros(len(factors)).at[-1].add(bias)
    second = jnp.array([factors, [-factor for factor in factors]])
    return (
        Layer(weight=jnp.array([[1.0, -1.0]]), bias=jnp.zeros(2)),
        Layer(weight=second, bias=biases),
    )


@pytest.fixture(scope="module")
def terms() -> dict[str, float]:
    parameters = Parameters(
        encoders={domain: times(factor) for domain, factor in INTO.items()},
        decoders={"visual": times(OUT["visual"]), "attributes": times(OUT["attributes"], 0.0, bias=LOGIT)},
        log_scale=jnp.float32(0.0),
    )
    rows = Rows({"visual": jnp.array([[V]]), "attributes": jnp.array([[A]])}, jnp.array([[1.0]]))
    compiled = jax.jit(
        lambda own: terms_of(own, jnp.ones(1), rows, rows, SHARES, PARTS), compiler_options=QUICKLY_COMPILED
    )
    found = compiled(parameters)
    return {name: float(value) for name, value in found.items()}


def there(source: str, target: str) -> Callable[[float], float]:
    """By hand: into the workspace from one domain, out of it into another."""
    return lambda x: OUT[target] * math.tanh(INTO[source] * x)


def test_demi_cycle_is_the_error_of_going_in_and_out(terms: dict[str, float]) -> None:
    errors = [(there("visual", "visual")(V) - V) ** 2, (there("attributes", "attributes")(A) - A) ** 2]
    assert terms["demi_cycle"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_cycle_is_the_error_of_going_through_the_other_domain(terms: dict[str, float]) -> None:
    of_v = there("attributes", "visual")(there("visual", "attributes")(V)) - V
    of_a = there("visual", "attributes")(there("attributes", "visual")(A)) - A
    assert terms["cycle"] == pytest.approx((of_v**2 + of_a**2) / 2, rel=1e-5)


def test_translation_is_the_error_against_the_other_domain(terms: dict[str, float]) -> None:
    errors = [(there("visual", "attributes")(V) - A) ** 2, (there("attributes", "visual")(A) - V) ** 2]
    assert terms["translation"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_fusion_decodes_the_mixture_of_both(terms: dict[str, float]) -> None:
    z = math.tanh(0.25 * INTO["visual"] * V + 0.75 * INTO["attributes"] * A)
    errors = [(OUT["visual"] * z - V) ** 2, (OUT["attributes"] * z - A) ** 2]
    assert terms["fusion"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_synergy_is_the_cross_entropy_of_the_decoders_that_give_the_target(terms: dict[str, float]) -> None:
    # By hand: target 1, probability 1 / (1 + exp(-0.4)).
    assert terms["synergy"] == pytest.approx(math.log(1 + math.exp(-LOGIT)), rel=1e-5)


def test_contrastive_finds_the_other_half_by_cosine() -> None:
    # By hand: two items along the two axes, whatever their lengths: logits scale * identity, both ways alike.
    paired = {"visual": jnp.array([[2.0, 0.0], [0.0, 5.0]]), "attributes": jnp.array([[1.0, 0.0], [0.0, 0.1]])}
    assert float(contrastive_term(paired, jnp.float32(3.0))) == pytest.approx(math.log(1 + math.exp(-3.0)), rel=1e-6)


def test_contrastive_is_a_mean_over_both_directions() -> None:
    # By hand: both visual encodings point to the first attribute encoding. Rows: logits (1, 0) for both items, of
    # which item 0 is right and item 1 wrong. Columns: (1, 1) and (0, 0): log 2 each.
    paired = {"visual": jnp.array([[1.0, 0.0], [1.0, 0.0]]), "attributes": jnp.array([[1.0, 0.0], [0.0, 1.0]])}
    rows = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2
    assert float(contrastive_term(paired, jnp.float32(1.0))) == pytest.approx((rows + math.log(2)) / 2, rel=1e-6)


def test_rows_that_fill_a_place_have_no_part_in_any_term_nor_in_its_gradient() -> None:
    config = quick(model__workspace_dim=3, model__max_workspace_dim=4, model__hidden_dim=4)
    rng = np.random.default_rng(0)
    domains = {domain: jnp.asarray(rng.standard_normal((5, 2)), jnp.float32) for domain in BOTH.dims}
    whole = Rows(domains, jnp.asarray(rng.integers(0, 2, (5, 1)), jnp.float32))
    index = jnp.array([0, 1, 2, 0, 0])
    padded = jax.tree.map(lambda x: x[index], whole)._replace(counts=jnp.array([1.0, 1.0, 1.0, 0.0, 0.0]))
    alone = jax.tree.map(lambda x: x[:3], whole)
    mask = jnp.array([1.0, 1.0, 1.0, 0.0])

    def sums(parameters: Parameters, rows: Rows) -> jax.Array:
        found = terms_of(parameters, mask, rows, rows, SHARES, BOTH)
        return jnp.stack([found[term] for term in TERMS])

    start = initial_parameters(config, BOTH.dims)
    for of in (sums, jax.jacrev(sums)):
        compiled = jax.jit(of, compiler_options=QUICKLY_COMPILED)
        for mine, theirs in zip(*(jax.tree.leaves(compiled(start, rows)) for rows in (padded, alone)), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_a_row_of_zeros_has_no_direction_and_no_gradient() -> None:
    zeros = jnp.zeros((2, 3))
    assert not unit_rows(zeros).any()
    assert not jax.grad(lambda x: unit_rows(x).sum())(zeros).any()


def test_the_loss_is_the_mean_over_terms_that_count() -> None:
    # By hand: (2 * 3 + 0.5 * 4) / 2.
    values = {term: jnp.array({"fusion": 3.0, "synergy": 4.0}.get(term, 7.0)) for term in TERMS}
    weights = {term: jnp.array({"fusion": 2.0, "synergy": 0.5}.get(term, 0.0)) for term in TERMS}
    assert float(total(values, Coefficients(**weights))) == pytest.approx(4.0)


@pytest.fixture(scope="module")
def slopes() -> dict[str, tuple[float, float]]:
    """Along one random direction, each term's slope by its gradient and by central differences, in float64."""
    config = quick(model__workspace_dim=3, model__max_workspace_dim=4, model__hidden_dim=4)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        start = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), initial_parameters(config, BOTH.dims))
        point, back = jax.flatten_util.ravel_pytree(start)
        domains = {domain: jnp.asarray(rng.standard_normal((4, 2))) for domain in BOTH.dims}
        rows = Rows(domains, jnp.asarray(rng.integers(0, 2, (4, 1)), jnp.float64))
        mask = jnp.array([1.0, 1.0, 1.0, 0.0])

        def losses(flat: jax.Array) -> jax.Array:
            found = terms_of(back(flat), mask, rows, rows, SHARES, BOTH)
            return jnp.stack([found[term] for term in TERMS])

        direction, step = jnp.asarray(rng.standard_normal(point.shape)), 1e-6
        compiled = jax.jit(losses, compiler_options=QUICKLY_COMPILED)
        by_gradient = jax.jit(jax.jacrev(losses), compiler_options=QUICKLY_COMPILED)(point) @ direction
        by_difference = (compiled(point + step * direction) - compiled(point - step * direction)) / (2 * step)
    return {term: (float(by_gradient[i]), float(by_difference[i])) for i, term in enumerate(TERMS)}


@pytest.mark.parametrize("term", TERMS)
def test_the_gradient_of_each_term_is_that_of_finite_differences(
    term: str, slopes: dict[str, tuple[float, float]]
) -> None:
    # Of float64 at a step of 1e-6: rounding makes an error of 1e-10, curvature of 1e-12.
    by_gradient, by_difference = slopes[term]
    assert by_gradient == pytest.approx(by_difference, rel=1e-6, abs=1e-9)
    assert abs(by_gradient) > 1e-6
