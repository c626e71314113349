"""The section on promotion: every verdict with its numbers, honest where something is missing, and safe."""

from __future__ import annotations

import math

import pytest

from rothamsted.analysis.values import Analysis, Promotion
from tests.reporting import pages
from tests.reporting.full_page import full, page, source


def with_verdicts(*verdicts: Promotion) -> Analysis:
    return pages.with_dataset(full(), promotions=verdicts)


@pytest.mark.parametrize(
    "words",
    [
        "toy, version 2: promoted (against version 1)",
        "Promoted: the replicates show it. One pair was left out.",
        "Judged 2023-11-14 22:13:20 UTC",  # 1,700,000,000 s after 1970
        "Challenger version 2 (lr=0.3)",
        "Champion version 1 (lr=0.5)",
        "Difference in val_loss −0.200 [−0.210, −0.190] (challenger minus champion, 90 % interval)",
        "p-value 0.012 (one-sided)",
        "Test paired t",
        "Level 95 %",
        "Smallest improvement 0.005",
        "Replicates 5 pairs",
        "Shared seeds 5: 105, 106, 107, 108 and 109",
        "Constraint val_accuracy > 0.8 met: mean 0.9 (n = 5)",
        f"Data digest {'da7a' * 16}",
        "Policy registry/toy.yaml",
    ],
)
def test_a_verdict_says_all_that_it_rests_on(words: str) -> None:
    assert words in page(with_verdicts(pages.promotion())).text("promotion")


FIRST = {
    "champion_version": "",
    "champion": "",
    "difference": None,
    "p_value": math.nan,
    "test": "",
    "is_paired": False,
    "seeds": (),
    "policy_file": "",
    "data_digest": "",
}


@pytest.mark.parametrize(
    "words",
    [
        "promoted (nothing compared)",
        "Champion none",
        "Difference in val_loss none: nothing was compared",
        "p-value none: nothing was tested",
        "Test none: nothing was compared",
        "Replicates 5 of the challenger",
        "Shared seeds none",
        "Data digest none",
        "Policy its file is not on record",
    ],
)
def test_what_a_verdict_without_champion_does_not_have_is_named(words: str) -> None:
    assert words in page(with_verdicts(pages.promotion(**FIRST))).text("promotion")


def test_a_limit_that_excludes_nothing_is_infinite() -> None:
    open_ended = pages.interval(-0.2, -math.inf, math.inf, level=0.9)
    found = page(with_verdicts(pages.promotion(difference=open_ended))).text("promotion")
    assert "−0.2 [−∞, ∞] (challenger" in found


def test_non_inferiority_shows_its_margin() -> None:
    found = page(with_verdicts(pages.promotion(margin=0.01, smallest_improvement=0.0))).text("promotion")
    assert ("Margin 0.01" in found, "Smallest improvement" in found) == (True, False)


def test_without_a_verdict_there_is_no_section() -> None:
    assert 'id="promotion"' not in source(full())


def test_verdicts_stand_in_their_order_each_with_an_address() -> None:
    found = page(with_verdicts(pages.promotion(number=2), pages.promotion(decision="kept")))
    anchors = [given["id"] for tag, given in found.elements if tag == "h3"]
    assert anchors == ["verdict-toy-2-2", "verdict-toy-2-1"]
    assert "2 verdicts are on record, the newest first." in found.text("promotion")


@pytest.mark.parametrize("field", ["model", "challenger", "champion", "metric", "policy_file", "data_digest", "test"])
def test_a_name_that_looks_like_a_script_is_text(field: str) -> None:
    made = source(with_verdicts(pages.promotion(**{field: pages.ATTACK})))
    assert pages.ATTACK not in made
    assert "&lt;script&gt;alert(1)" in made
