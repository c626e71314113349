"""A study whose generator raises when it is closed: a breach of the contract, and never what hides another error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rothamsted.records import Outcome
from tests.studies.test_driver import measurement, stop, study_that, trained
from tests.toy import Config


def test_a_study_that_cannot_be_closed_has_failed() -> None:
    def stubborn() -> Iterator[Any]:
        try:
            yield measurement()
        finally:
            raise OSError("the cache cannot be emptied")

    [ending] = trained(Config(), study=study_that(stubborn), **stop())
    assert (ending.outcome, ending.reason) == (Outcome.FAILED, "OSError: the cache cannot be emptied")


def test_an_error_in_logging_is_heard_of_though_the_study_cannot_be_closed() -> None:
    def stubborn() -> Iterator[Any]:
        try:
            yield measurement()
        finally:
            raise OSError("the cache cannot be emptied")

    with pytest.raises(ZeroDivisionError):
        trained(Config(), study=study_that(stubborn), on_measurement=lambda *_: 1 / 0)
