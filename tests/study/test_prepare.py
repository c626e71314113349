"""A data set is made by the study that offers it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rothamsted.errors import DataError
from rothamsted.study import prepare_data
from tests.toy import STUDY, prepare_toy


def other(*, source: str | None, target: Path | None) -> Path:
    return Path("other")


def test_the_study_that_offers_a_data_set_makes_it(tmp_path: Path) -> None:
    source = tmp_path / "raw.txt"
    source.write_text("1 2 3")
    bare = replace(STUDY, name="bare", datasets={})
    path = prepare_data([bare, STUDY], "toy", str(source), tmp_path / "toy.txt")
    assert (path, path.read_text()) == (tmp_path / "toy.txt", "1 2 3")


def test_an_unknown_data_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="'toys' is not offered by any study; did you mean toy"):
        prepare_data([STUDY], "toys", None, None)


def test_a_name_that_means_two_data_sets_is_refused() -> None:
    twin = replace(STUDY, name="twin", datasets={"toy": other})
    with pytest.raises(DataError, match="offered by toy, twin with different functions"):
        prepare_data([STUDY, twin], "toy", None, None)


def test_studies_may_share_one_data_set(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("x")
    twin = replace(STUDY, name="twin", datasets={"toy": prepare_toy})
    assert prepare_data([STUDY, twin], "toy", str(tmp_path / "raw"), None) == tmp_path / "raw.toy"


def test_what_the_study_says_of_a_missing_source_is_a_data_error() -> None:
    with pytest.raises(DataError, match="nowhere: is not a file; give source=FILE"):
        prepare_data([STUDY], "toy", "nowhere", None)
