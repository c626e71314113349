"""What luck was worth, with its interval: against scipy, and where there is none."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import ttest_ind

from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.luck import luck_of
from rothamsted.publish.console import confirmed_table
from rothamsted.publish.description import description, luck_text
from rothamsted.publish.record import _metrics
from tests.analysis.test_analyze import dataset


def plain(written: str) -> str:
    """Text with ordinary spaces and minus signs, as it looks."""
    return written.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ").replace("−", "-")


SEARCH, FRESH = [0.10, 0.13, 0.11], [0.15, 0.19, 0.14, 0.21, 0.16]


@pytest.mark.parametrize("level", [0.95, 0.8])
@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_the_interval_is_welch_s(direction: str, sign: int, level: float) -> None:
    # Authority: scipy.stats.ttest_ind(equal_var=False) and its confidence interval.
    found = luck_of(SEARCH, FRESH, direction=direction, level=level)
    bounds = ttest_ind(FRESH, SEARCH, equal_var=False).confidence_interval(level)
    assert found.estimate == pytest.approx(sign * (np.mean(FRESH) - np.mean(SEARCH)))
    assert [found.low, found.high] == pytest.approx(sorted([sign * bounds.low, sign * bounds.high]), rel=1e-9)
    assert (found.n_search, found.n_confirmed, found.level, found.method) == (3, 5, level, "Welch")


@pytest.mark.parametrize(("search", "fresh"), [([0.1], FRESH), (SEARCH, [0.2])])
def test_one_replicate_on_a_side_leaves_no_interval_and_the_text_says_so(
    search: list[float], fresh: list[float]
) -> None:
    found = luck_of(search, fresh, direction="minimize", level=0.95)
    assert (math.isnan(found.low), math.isnan(found.high), found.has_interval) == (True, True, False)
    assert luck_text(found).endswith(f"(n = {len(search)} and {len(fresh)}: no interval)")


def test_values_without_any_spread_have_an_interval_of_no_width() -> None:
    found = luck_of([1.0, 1.0], [1.5, 1.5], direction="minimize", level=0.95)
    assert (found.estimate, found.low, found.high) == (0.5, 0.5, 0.5)


def test_missing_values_do_not_count() -> None:
    assert luck_of([*SEARCH, math.nan], FRESH, direction="minimize", level=0.95).n_search == 3


def test_the_description_and_the_metrics_of_the_sweep_s_run_have_the_interval() -> None:
    # By scipy: FRESH against SEARCH at 0.95.
    bounds = ttest_ind(FRESH, SEARCH, equal_var=False).confidence_interval(0.95)
    made = analyze(dataset({0: SEARCH, 1: [9.0, 9.1, 9.3]}, confirm={0: FRESH}), Settings())
    text = f"0.057 [{bounds.low:.3f}, {bounds.high:.3f}] better than on fresh seeds (95 %, Welch, n = 3 and 5)."
    assert text in plain(description(made))
    assert (
        "On average a search's estimate of its winner is optimistic, because the winner was chosen by it."
        in description(made)
    )
    metrics = {point.key: point.value for point in _metrics(made)}
    assert (metrics["luck/ci_low"], metrics["luck/ci_high"]) == pytest.approx((bounds.low, bounds.high))


def test_of_several_confirmed_conditions_the_metrics_are_of_the_search_s_best() -> None:
    # The search's best is 0; on fresh seeds 1 is better: to take its mean would be picking by luck again.
    made = analyze(dataset({0: SEARCH, 1: [0.2, 0.21, 0.22]}, confirm={0: FRESH, 1: [0.11, 0.12, 0.13]}))
    metrics = {point.key: point.value for point in _metrics(made)}
    assert metrics["confirmed/mean"] == pytest.approx(np.mean(FRESH))


def test_the_terminal_says_the_same_interval_at_the_level_of_the_sweep() -> None:
    # By scipy, as above.
    bounds = ttest_ind(FRESH, SEARCH, equal_var=False).confidence_interval(0.9)
    made = analyze(dataset({0: SEARCH, 1: [9.0, 9.1, 9.3]}, confirm={0: FRESH}), Settings(level=0.9))
    shown = f"0.057 [{bounds.low:.3f}, {bounds.high:.3f}]"
    assert f"{shown} better than on fresh seeds (90 %, Welch, n = 3 and 5)" in plain(description(made))
    text = f"+{shown} (90 %, Welch, n = 3 and 5)"
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(confirmed_table(made))
    assert text in plain(console.export_text())
    metrics = {point.key: point.value for point in _metrics(made)}
    assert (metrics["luck/ci_low"], metrics["luck/ci_high"]) == pytest.approx((bounds.low, bounds.high))
