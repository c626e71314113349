"""What the bits tell: exactly nothing or exactly one bit, by the plug-in mutual information of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from projects.global_workspace.data.bits import Bits, draw_bits
from projects.global_workspace.data.config import DOMAINS, DataConfig
from projects.global_workspace.information import decompose_samples, mutual_information

DESIGNS = {
    "one of each": DataConfig(),
    "two targets": DataConfig(n_synergy=2, n_unique=0, n_redundant=1, n_train=64),
    "three targets alone": DataConfig(n_synergy=3, n_unique=0, n_redundant=0),
}


def bits_of(config: DataConfig, seed: int = 0) -> Bits:
    return draw_bits(config, 3 * config.block_size, np.random.default_rng(seed))


def both(bits: Bits) -> np.ndarray:
    return np.hstack([bits.of_domain(domain) for domain in DOMAINS])


@pytest.fixture(params=sorted(DESIGNS))
def bits(request: pytest.FixtureRequest) -> Bits:
    return bits_of(DESIGNS[request.param])


# Every share is a multiple of a power of 1/2, whose logarithm floats hold exactly: the equalities below are exact.


@pytest.mark.parametrize("domain", DOMAINS)
def test_all_bits_of_one_domain_tell_nothing_of_any_or_all_targets(domain: str, bits: Bits) -> None:
    for target in bits.synergy.T:
        assert mutual_information(target, bits.of_domain(domain)) == 0.0
    assert mutual_information(bits.synergy, bits.of_domain(domain)) == 0.0


def test_both_domains_tell_every_target(bits: Bits) -> None:
    for target in bits.synergy.T:
        assert mutual_information(target, both(bits)) == 1.0
    assert mutual_information(bits.synergy, both(bits)) == bits.synergy.shape[1]


def test_a_target_is_synergy_alone(bits: Bits) -> None:
    found = decompose_samples(bits.synergy[:, 0], *(bits.of_domain(domain) for domain in DOMAINS), measure="i_min")
    assert (found.redundant, found.unique_first, found.unique_second, found.synergistic) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("domain", "other"), [DOMAINS, DOMAINS[::-1]])
def test_a_unique_bit_is_known_to_its_domain_alone(domain: str, other: str) -> None:
    bits = bits_of(DESIGNS["one of each"])
    assert mutual_information(bits.unique[domain], bits.of_domain(domain)) == 1.0
    assert mutual_information(bits.unique[domain], bits.of_domain(other)) == 0.0


def test_a_redundant_bit_is_known_to_both_domains_and_to_no_target() -> None:
    bits = bits_of(DESIGNS["one of each"])
    for domain in DOMAINS:
        assert mutual_information(bits.redundant, bits.of_domain(domain)) == 1.0
    assert mutual_information(bits.redundant, bits.synergy) == 0.0


def test_a_target_is_the_exclusive_or_of_what_the_domains_carry() -> None:
    bits = bits_of(DESIGNS["two targets"])
    visual, attributes = (bits.carried[domain] for domain in DOMAINS)
    assert np.array_equal(bits.synergy, (visual != attributes).astype(int))


def test_fewer_rows_are_the_head_of_more() -> None:
    config = DESIGNS["one of each"]
    few, many = (draw_bits(config, n * config.block_size, np.random.default_rng(4)) for n in (1, 3))
    assert np.array_equal(both(few), both(many)[: config.block_size])


def test_another_seed_gives_another_order() -> None:
    assert not np.array_equal(both(bits_of(DESIGNS["one of each"])), both(bits_of(DESIGNS["one of each"], seed=1)))


def test_part_of_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="n=33 is not a multiple of the block of 32"):
        draw_bits(DataConfig(), 33, np.random.default_rng(0))
