"""What of a sweep's search looks at results, as its file says."""

from __future__ import annotations

import pytest

from rothamsted.analysis.sweep_record import looked_by
from tests.spec.conftest import TOY_SWEEP, SweepFile


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", ()),
        ("sampler: random\ntrials: 5\n", ()),
        ("sampler: tpe\ntrials: 5\n", ("tpe",)),
        ("sampler: tpe\ntrials: 5\npruner: median\n", ("tpe", "pruning")),
        ("replicates: {racing: {min: 3, max: 6}}\n", ("racing",)),
    ],
)
def test_samplers_pruning_and_races_that_look_at_results_are_known(
    sweep_file: SweepFile, more: str, expected: tuple[str, ...]
) -> None:
    assert looked_by(sweep_file.load(TOY_SWEEP + more)) == expected


def test_a_later_stage_was_chosen_by_an_earlier_one(sweep_file: SweepFile) -> None:
    later = sweep_file.load().model_copy(update={"name": "toy-lr.stage2"})
    assert looked_by(later) == ("stages",)
