"""Settings of the data: defaults that hold together, and refusals that say what to do."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from projects.global_workspace.data.config import DataConfig, columns

REFUSALS = [
    (
        {"n_train": 100},
        "n_train=100 is not a multiple of 32, the combinations of 5 bits (2 n_synergy + 2 n_unique + n_redundant); "
        "take 96 or 128, or fewer bits",
    ),
    ({"n_val": 3}, "take 32, or fewer bits"),
    ({"n_synergy": 6}, "n_train=8192 is not a multiple of 32768"),
    ({"name": "folder"}, "path=None with name='folder': name=folder and name=xor_targets need a path"),
    ({"path": "somewhere"}, "path='somewhere' with name='simple_shapes'"),
    ({"attribute_vae": {"steps": 3}}, "attribute_vae has no effect on attribute_form='vector'"),
    ({"n_synergy": 0}, "greater than or equal to 1"),
    ({"pictures": 3}, "Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSALS)
def test_settings_that_cannot_hold_are_refused_with_the_way_out(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        DataConfig.model_validate(settings)
    assert message in str(refusal.value)


def test_columns_follow_the_latent_in_a_fixed_order() -> None:
    config = DataConfig(n_synergy=2, n_unique=1, n_redundant=0, n_train=64)
    # Visual: 8 latent numbers; attributes: 11; then two bits of targets and a unique one.
    assert columns(config) == {
        "latent": {"visual": tuple(range(8)), "attributes": tuple(range(11))},
        "synergy": {"visual": (8, 9), "attributes": (11, 12)},
        "unique": {"visual": (10,), "attributes": (13,)},
        "redundant": {"visual": (), "attributes": ()},
    }


def test_a_block_holds_every_combination_once() -> None:
    assert DataConfig(n_synergy=2, n_unique=1, n_redundant=3, n_train=1024).block_size == 2**9  # 2 * 2 + 2 * 1 + 3 bits
