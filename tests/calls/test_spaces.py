"""Domains as calls."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rothamsted as rt
from rothamsted.calls import spaces
from rothamsted.calls.spaces import plain_domain


def test_the_examples_of_the_docstrings_are_true() -> None:
    assert doctest.testmod(spaces).failed == 0


@pytest.mark.parametrize(
    ("domain", "plain"),
    [
        (rt.uniform(0, 1), {"low": 0.0, "high": 1.0}),
        (rt.uniform(0, 1, step=0.5), {"low": 0.0, "high": 1.0, "step": 0.5}),
        (rt.loguniform(1, 100, points=3), {"low": 1.0, "high": 100.0, "log": True, "points": 3}),
        (rt.integers(1, 8), {"low": 1, "high": 8, "step": 1}),
        (rt.integers(1, 8, step=2), {"low": 1, "high": 8, "step": 2}),
        (rt.integers(1, 1024, log=True), {"low": 1, "high": 1024, "log": True}),
        (rt.integers(0, 10**9), {"low": 0, "high": 10**9}),
        (rt.choice(["a", "b"], when={"opt": "sgd"}), {"values": ["a", "b"], "when": {"opt": ["sgd"]}}),
        ([1, 2], [1, 2]),
        (range(3), [0, 1, 2]),
        (np.linspace(0, 1, 3), [0.0, 0.5, 1.0]),
        (pd.Series([1, 2]), [1, 2]),
        ({"low": 0.0, "high": 1.0}, {"low": 0.0, "high": 1.0}),
        ("sgd", "sgd"),
        (np.float64(0.5), 0.5),
    ],
)
def test_a_domain_is_written_as_a_file_has_it(domain: Any, plain: Any) -> None:
    written = plain_domain("rt.sweep: space.p", domain)
    assert written == plain
    assert repr(written) == repr(plain)  # 0.0 is not 0, and no number of NumPy


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rt.uniform(1, 0), r"rt\.uniform: low: 1\.0 is above high 0\.0"),
        (lambda: rt.uniform("0", 1), r"rt\.uniform: low: must be a finite number, not '0'"),
        (lambda: rt.loguniform(0, 1), r"rt\.loguniform: low: a log range must start above zero"),
        (lambda: rt.integers(0.5, 2), r"rt\.integers: low: must be a whole number, not 0\.5"),
        (lambda: rt.choice("sgd"), r"rt\.choice: takes a list of values, not 'sgd'"),
        (lambda: rt.choice([]), r"rt\.choice: .*at least one value"),
        (lambda: rt.choice([1, 1]), r"rt\.choice: 1 is given twice"),
    ],
)
def test_numbers_that_make_no_domain_are_refused(make: Any, said: str) -> None:
    with pytest.raises(rt.UserError, match=said):
        make()
