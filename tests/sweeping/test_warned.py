"""What is warned of in a worker: whose warnings are shown, how often, and that nothing else changes."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from rothamsted.sweeping.worker.warned import MOST_OF_ONE_PLACE, warnings_told

HERE = __file__


class OwnWarning(UserWarning):
    """A category of the study's own."""


@pytest.fixture
def told() -> Iterator[list[str]]:
    """Everything that is said while a worker of a study in the package `tests` runs."""
    said: list[str] = []
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        with warnings_told(said.append, "tests"):
            yield said


def warn_from(filename: str, text: str, category: type[Warning] = UserWarning) -> None:
    warnings.warn_explicit(text, category, filename, 7)


def test_a_warning_of_the_engine_says_where_it_comes_from(told: list[str]) -> None:
    logging.getLogger("rothamsted.studies.checkpoint").warning("%s is damaged", "a.safetensors")
    assert told == ["warning: a.safetensors is damaged (from rothamsted.studies.checkpoint)"]


def test_a_warning_that_a_study_raises_says_its_file_and_line(told: list[str]) -> None:
    warn_from(HERE, "the labels are\n not sorted")
    warn_from(HERE, "its own", OwnWarning)
    assert told == [
        f"warning: the labels are not sorted (from {HERE}:7)",
        f"warning: its own (from {HERE}:7)",
    ]


def test_a_study_may_warn_by_any_logger(told: list[str]) -> None:
    logging.getLogger("tests.toy").warning("by its own")
    logging.warning("by the root's")
    logging.getLogger("its-own-name").error("by another")
    assert [text.partition(" (from")[0] for text in told] == [
        "warning: by its own",
        "warning: by the root's",
        "warning: by another",
    ]


def test_numpy_warns_in_the_name_of_the_line_that_computed(told: list[str]) -> None:
    import numpy as np

    np.float64(1e300) * np.float64(1e300)
    assert len(told) == 1
    assert told[0].startswith(f"warning: overflow encountered in scalar multiply (from {HERE}:")


def test_what_other_packages_say_is_not_shown(told: list[str]) -> None:
    from optuna.exceptions import ExperimentalWarning

    record: dict[str, Any] = {"name": "urllib3.connectionpool", "levelno": logging.WARNING, "levelname": "WARNING"}
    record |= {"pathname": logging.__file__, "lineno": 1, "msg": "Retrying"}
    logging.getLogger().handle(logging.makeLogRecord(record))
    warn_from(logging.__file__, "a library's own")
    warn_from(HERE, "is experimental", ExperimentalWarning)  # optuna's, about a call of ours
    warn_from(HERE, "will go", DeprecationWarning)
    logging.getLogger("rothamsted.studies").info("of no weight")
    assert told == []


def test_a_text_is_shown_once(told: list[str]) -> None:
    for _ in range(3):
        warn_from(HERE, "again")
        logging.getLogger("rothamsted").warning("again and again")
    assert len(told) == 2


def test_of_one_place_so_many_are_shown_and_that_there_are_more(told: list[str]) -> None:
    for step in range(3 * MOST_OF_ONE_PLACE):
        warn_from(HERE, f"the loss is odd at step {step}")
    assert len(told) == MOST_OF_ONE_PLACE
    assert told[-1] == (
        f"warning: the loss is odd at step {MOST_OF_ONE_PLACE - 1} (from {HERE}:7; "
        "further warnings from there are not shown)"
    )


def test_who_is_told_of_a_warning_may_warn_from_another_thread_meanwhile() -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if "first" in text:
            other = threading.Thread(target=logging.getLogger("rothamsted").warning, args=("second",), daemon=True)
            other.start()
            other.join(20)

    with warnings_told(say, ""):
        logging.getLogger("rothamsted").warning("first")
        assert said == ["warning: first (from rothamsted)", "warning: second (from rothamsted)"]


def test_warnings_go_where_they_went_before_too_and_afterwards_only_there() -> None:
    said: list[str] = []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with warnings_told(said.append, ""):
            logging.getLogger("rothamsted").warning("inside")
            warn_from(HERE, "of no study")
        logging.getLogger("rothamsted").warning("outside")
        warn_from(HERE, "outside")
    assert said == ["warning: inside (from rothamsted)"]
    assert [str(one.message) for one in seen] == ["of no study", "outside"]
