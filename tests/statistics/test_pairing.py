"""Which samples are pairs, by the rule of all comparisons."""

from __future__ import annotations

import pytest

from rothamsted.statistics.pairing import pairing, pairing_of_all

TEN = [str(seed) for seed in range(10)]


@pytest.mark.parametrize(
    ("a", "b", "n_common", "why"),
    [
        (TEN, TEN, 10, ""),
        (TEN, ["0", "1", "20", "21", "22"], 2, "2 common seeds, fewer than 3"),
        (TEN, ["0", "1", "2", "21", "22"], 3, "3 common seeds, fewer than two thirds of 5"),
        (TEN, ["0", "1", "2", "3", "22", "23"], 4, ""),  # two thirds of 6
        (TEN[:2], TEN[:2], 2, "2 common seeds, fewer than 3"),
        (TEN, ["30"], 0, "0 common seeds, fewer than 3"),
        (TEN, ["0", "1", "2", "2"], 3, "seed 2 is there twice in one condition"),
        (TEN, ["0", "1", "2", ""], 3, "the seed of a replicate is not known"),
    ],
)
def test_two_samples_are_pairs_with_three_common_seeds_and_two_thirds_of_the_smaller(
    a: list[str], b: list[str], n_common: int, why: str
) -> None:
    for first, second in ((a, b), (b, a)):
        found = pairing(first, second)
        assert (found.is_paired, found.n_common, found.why) == (not why, n_common, why)


def test_one_condition_that_lost_its_seeds_does_not_undo_the_pairs_of_the_others() -> None:
    assert pairing_of_all([TEN, TEN, TEN, TEN[:2], ["3"]]).is_paired
    assert not pairing_of_all([TEN, TEN[:2], ["40", "41", "42"]]).is_paired


def test_a_seed_twice_in_one_condition_undoes_all_pairs() -> None:
    assert pairing_of_all([TEN, TEN, [*TEN, "3"]]).why == "seed 3 is there twice in one condition"
