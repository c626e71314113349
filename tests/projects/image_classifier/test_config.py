"""What a config refuses, in words that say what to do; and when a longer training is the same training."""

from __future__ import annotations

from typing import Any

import pytest

from projects.image_classifier.config import Config, is_longer
from rothamsted.errors import StudyError
from tests.projects.image_classifier.training import tiny


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (
            {"model__family": "efficientnet_b0", "model__width": 8, "model__blocks": 3},
            "width=8 has no effect on family",
        ),
        ({"model__drop_path": 0.5}, "drop_path=0.5 has no effect on family 'cnn'"),
        ({"model__frozen": True}, "frozen=True has no effect on family 'cnn'"),
        ({"optimizer__momentum": 0.5}, "momentum=0.5 has no effect on 'adamw'"),
        ({"schedule__factor": 0.5}, "factor=0.5 has no effect on schedule 'constant'"),
        ({"stopping__min_delta": 0.1}, "min_delta=0.1 has no effect without patience"),
        ({"data__path": "x"}, "path='x' has no effect on data set 'made'"),
        ({"data__name": "folder"}, "needs the folder of the images"),
        ({"model__blocks": 4}, "4 halvings need a side of 16 pixels, data.image_size is 12"),
        ({"schedule__name": "cosine", "schedule__warmup_epochs": 3.0}, "leaves nothing of 3 epochs"),
        (
            {"schedule__name": "step", "schedule__step_epochs": 5},
            "schedule.step_epochs: the rate falls after every 5 epochs, and there are 3: the schedule has no effect",
        ),
        ({"schedule__name": "step", "epochs": 1}, "the rate falls after every 1 epochs, and there are 1"),
        (
            {"schedule__name": "plateau", "schedule__patience": 1},
            "schedule.patience: 1 needs 4 epochs or more to act, and there are 3: the schedule has no effect",
        ),
        ({"schedule__name": "plateau", "epochs": 2}, "0 needs 3 epochs or more to act, and there are 2"),
        ({"batch_size": 1}, "greater than or equal to 2, not 1"),
        ({"optimizer__learning_rate": 1.0}, "optimizer.learning_rate is not a field of Config; did you mean"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(fields: dict[str, Any], rule: str) -> None:
    with pytest.raises(StudyError, match=rule.replace("(", r"\(")):
        tiny(**fields)


def test_more_epochs_are_the_same_training_unless_the_rate_or_a_clock_depends_on_the_end() -> None:
    assert is_longer(tiny(epochs=5), tiny(epochs=3))
    for given in (
        {"schedule__name": "plateau", "schedule__patience": 0},
        {"schedule__name": "step", "schedule__step_epochs": 2},
    ):
        assert is_longer(tiny(epochs=5, **given), tiny(epochs=3, **given))
    assert not is_longer(tiny(epochs=3), tiny(epochs=5))
    assert not is_longer(tiny(epochs=5, schedule__name="cosine"), tiny(epochs=3, schedule__name="cosine"))
    for name in ("step", "plateau"):  # whose own defaults fit the number of epochs
        assert not is_longer(tiny(epochs=25, schedule__name=name), tiny(epochs=3, schedule__name=name))
    assert not is_longer(tiny(epochs=5, stopping__time_limit=9.0), tiny(epochs=3, stopping__time_limit=9.0))
    assert not is_longer(tiny(epochs=5, seed=1), tiny(epochs=3, seed=2))


def test_the_default_config_is_valid() -> None:
    assert Config().data.name == "made"
