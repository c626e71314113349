"""What a study declares of its metrics, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from rothamsted.errors import StudyError
from rothamsted.metric import UNKNOWN, declared, metrics_from_plain, metrics_to_plain
from rothamsted.studies import Metric, Study
from tests.toy import Config, train

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a direction that is none": ({"direction": "up"}, "direction must be minimize, maximize or None, not 'up'"),
    "low above high": ({"low": 2, "high": 1}, "low=2 must be below high=1"),
    "low at high": ({"low": 1, "high": 1}, "low=1 must be below high=1"),
    "an infinite end": ({"high": float("inf")}, "high must be a finite number, or None if there is none, not inf"),
    "text for a number": ({"low": "0"}, "low must be a finite number"),
    "a number for text": ({"unit": 3}, "unit must be text, not 3"),
    "no rows": ({"low": 0, "high": 1, "rows": 0}, "rows must be a whole number of at least 1, not 0"),
    "rows of what is no share": ({"low": 0, "rows": 100}, "rows=100 is only for a share; give low=0 and high=1"),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_declaration_that_cannot_be_is_refused_in_one_line(mistake: str) -> None:
    fields, message = MISTAKES[mistake]
    with pytest.raises(StudyError) as refused:
        Metric(**fields)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"loss": {"low": 0}}, "study 'toy': metrics['loss'] must be a Metric(...), not {'low': 0}"),
        ({"": Metric()}, "study 'toy': metrics: '' is not the name of a metric"),
        (["loss"], "study 'toy': metrics must be a mapping of names to Metric(...), not ['loss']"),
    ],
)
def test_a_study_whose_metrics_are_no_declaration_is_refused(metrics: Any, message: str) -> None:
    with pytest.raises(StudyError) as refused:
        Study(name="toy", config=Config, train=train, rtol=0.0, metrics=metrics)
    assert str(refused.value) == message


def test_every_study_knows_what_the_driver_measures() -> None:
    study = Study(name="toy", config=Config, train=train, rtol=0.0, metrics={"loss": Metric(low=0)})
    assert study.known_metrics["samples_per_second"].low == 0
    assert study.known_metrics["loss"] == Metric(low=0)


def test_a_pattern_stands_for_metrics_without_a_line_of_their_own() -> None:
    metrics = {"class_accuracy/*": Metric(low=0, high=1), "class_accuracy/cat": Metric(low=-1)}
    assert declared(metrics, "class_accuracy/dog").high == 1
    assert declared(metrics, "class_accuracy/cat").low == -1
    assert declared(metrics, "loss") is UNKNOWN


def test_a_declaration_comes_back_from_plain_values() -> None:
    metrics = {"a": Metric(direction="maximize", low=0, high=1, unit="", label="accuracy", rows=100), "b": Metric()}
    assert metrics_from_plain(metrics_to_plain(metrics)) == metrics
    assert metrics_to_plain({"b": Metric(low=0)}) == {"b": {"low": 0}}
