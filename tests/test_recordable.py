"""What MLflow can hold: our rule is MLflow's own."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from rothamsted import recordable

NAMES = st.one_of(st.text(max_size=12), st.text("ab/._-: +\\", max_size=12), st.text("a/", min_size=248, max_size=253))


@given(NAMES)
@example("a+b")
@example("a:b")
@example("a//b")
@example("../x")
@example("a/./b")
@example("/a")
@example("")
@example(".")
@example("n" * 250)
@example("n" * 251)
def test_a_name_is_taken_where_mlflow_takes_it(name: str) -> None:
    # Authority: mlflow.utils.validation, of a param, a metric and a tag.
    def is_taken(check: object, *more: object) -> bool:
        try:
            check(name, *more)  # type: ignore[operator]
        except MlflowException:
            return False
        return True

    ours = not recordable.name_fault(name)
    assert is_taken(validation._validate_param, "1") is ours
    assert is_taken(validation._validate_metric, 1.0, 0, 0) is ours
    assert is_taken(validation._validate_tag, "1") is ours


def test_limits_are_mlflows() -> None:
    assert validation.MAX_PARAM_VAL_LENGTH == recordable.MAX_PARAM
    assert validation.MAX_TAG_VAL_LENGTH == recordable.MAX_TAG
    assert validation.MAX_ENTITY_KEY_LENGTH == recordable.MAX_NAME


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 6001])
def test_a_text_that_no_database_keeps_has_a_fault(text: str) -> None:
    assert recordable.text_fault(text)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=20))
def test_what_is_made_recordable_has_no_fault(text: str) -> None:
    assert not recordable.text_fault(recordable.recordable(text))
