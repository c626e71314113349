"""Results that are kept by the content of their arguments: numbers of an analysis, and drawings of a report."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

from rothamsted.analysis.values import Analysis
from rothamsted.remembered import remembered
from rothamsted.reporting.plots import render
from rothamsted.sweeping.coordinator.meanwhile import Meanwhile
from tests.reporting.worlds import grid


def test_equal_arguments_are_computed_once_and_others_anew() -> None:
    met: list[float] = []

    @remembered(most=2)
    def total(values: np.ndarray, *, scale: float) -> float:
        met.append(scale)
        return float(values.sum()) * scale

    assert [total(np.arange(3.0), scale=2), total(np.arange(3.0), scale=2), total(np.arange(4.0), scale=2)] == [
        6,
        6,
        12,
    ]
    assert met == [2, 2]
    assert [total(np.arange(3.0), scale=scale) for scale in (3, 4, 2)] == [9, 12, 6]  # the first has been forgotten
    assert met == [2, 2, 3, 4, 2]


def test_what_cannot_be_pickled_is_computed_each_time() -> None:
    met: list[int] = []
    call = remembered(most=2)(lambda given: met.append(given()))
    call(lambda: 1)
    call(lambda: 1)
    assert met == [1, 1]


def test_a_plot_whose_data_are_equal_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = grid(), grid()
    assert first is not second
    assert isinstance(first, Analysis)
    drawn = render("heatmap", first)
    monkeypatch.setattr(sys.modules[render.__module__], "fit_labels", lambda figure: pytest.fail("drawn again"))
    assert render("heatmap", second) == drawn


def test_the_report_is_rehearsed_when_all_is_imported_and_ends_with_the_sweep() -> None:
    order: list[str] = []
    imported, asked = threading.Event(), threading.Event()

    def make_ready() -> None:
        imported.wait(10)
        order.append("imported")

    def rehearse(is_over: Callable[[], bool]) -> None:
        while not is_over():
            asked.set()
        order.append("rehearsed")

    meanwhile = Meanwhile(make_ready=make_ready, rehearse=rehearse)
    meanwhile.training_has_begun()
    meanwhile.confirmation_has_begun()
    assert not asked.wait(0.05)
    imported.set()
    assert asked.wait(10)
    n_before = threading.active_count()
    meanwhile.end()
    assert order == ["imported", "rehearsed"]
    assert threading.active_count() < n_before
    meanwhile.training_has_begun()
    meanwhile.confirmation_has_begun()
    assert threading.active_count() < n_before  # each once
