"""The words of a first screen: each claim only where its condition holds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from rothamsted.reporting.sections.first_screen import first_screen
from rothamsted.reporting.sentences import effects_words, luck_words, shares_words, without_mean
from rothamsted.reporting.verdicts import verdict_words
from tests.reporting import pages

NAN = math.nan


def plain(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")


def answer(made: Any) -> str:
    """The answer of the first screen, in its order."""
    found = first_screen(made, None).answer
    assert found is not None
    parts = (found.title, found.name, found.estimate, found.basis, *found.words)
    return plain("\n".join(part for part in parts if part))


def four(**changes: Any) -> Any:
    """Four conditions of three replicates; 2 is best, then 0, 3, 1."""
    scores = {0: [0.20, 0.21, 0.22], 1: [0.5, 0.6, 0.7], 2: [0.10, 0.11, 0.12], 3: [0.3, 0.4, 0.5]}
    return pages.analysis(scores, **changes)


# By hand: mean 0.11, sd 0.01, t(0.975, df=2) = 4.302653, half-width 4.302653 * 0.01 / sqrt(3) = 0.024842.
def test_the_best_of_the_search_is_named_with_its_interval_level_and_n() -> None:
    assert answer(four(best=pages.best_set(2))).startswith(
        "Best condition of the search\ncondition 2: lr=0.3\nval_loss 0.110 [0.085, 0.135]\n"
        "mean of 3 replicates with its 95 % interval\n"
    )


def test_without_fresh_seeds_the_mean_of_the_best_is_called_too_good() -> None:
    words = "Not confirmed on fresh seeds. It was chosen because it looked best, so its true mean is probably not as"
    assert words in answer(four())


@pytest.mark.parametrize(
    ("others", "worse", "expected"),
    [
        ((), (0, 1, 3), "No other can be the best (95 % confidence). The other 3 are worse."),
        (
            (0,),
            (1, 3),
            "1 other condition cannot be ruled out as the best (95 % confidence). "
            "Of the other 3, 2 are worse and this 1 is open: more seeds are needed to say.",
        ),
        (
            (0, 1, 3),
            (),
            "3 other conditions cannot be ruled out as the best (95 % confidence). "
            "These 3 are open: more seeds are needed to say.",
        ),
    ],
)
def test_what_can_be_the_best_and_every_verdict_is_counted(
    others: tuple[int, ...], worse: tuple[int, ...], expected: str
) -> None:
    words = plain(verdict_words(four(best=pages.best_set(2, *others, worse=worse))))
    assert words == expected


def test_what_is_open_and_outside_the_set_is_said_to_be_unlikely_the_best() -> None:
    found = pages.best_set(2, 0, worse=(1,))
    outside = pages.against_best(0.2, is_in_set=False, p=0.03)
    words = plain(verdict_words(four(best=replace(found, verdicts={**found.verdicts, 3: outside}))))
    assert (
        "1 is worse and 2 are open, this 1 and 1 that is probably not the best: more seeds are needed to say." in words
    )


def test_where_all_that_is_open_is_outside_the_set_it_is_said_of_all_of_it() -> None:
    found = pages.best_set(2, worse=(1,))
    outside = pages.against_best(0.2, is_in_set=False, p=0.03)
    words = plain(verdict_words(four(best=replace(found, verdicts={**found.verdicts, 0: outside, 3: outside}))))
    assert words == (
        "No other can be the best (95 % confidence). Of the other 3, 1 is worse and 2 are open, but probably not the "
        "best: more seeds are needed to say."
    )


def test_a_verdict_says_how_many_seeds_would_decide() -> None:
    found = pages.best_set(2, 0, 3, worse=(1,), more_seeds={0: 7, 3: None})
    assert plain(verdict_words(four(best=found))).endswith("About 7 seeds a condition would decide 1 of these (now 3).")


def test_where_nothing_was_compared_the_summary_says_so_and_why() -> None:
    words = verdict_words(four(gaps={"best": "one replicate a condition"}))
    assert words == "Whether one of the other 3 conditions can be the best is not known: one replicate a condition."


def test_one_condition_alone_is_not_called_best() -> None:
    words = answer(pages.analysis({0: [0.1, 0.2]}))
    assert words.startswith("The only condition of the search\ncondition 0: lr=0.1\n")
    assert "looked best" not in words


def test_one_condition_alone_is_compared_with_nothing() -> None:
    assert verdict_words(pages.analysis({0: [0.1, 0.2]})) == ""


def test_one_replicate_has_no_interval_in_words() -> None:
    words = answer(pages.analysis({0: [0.123456], 1: [0.5]}))
    assert "condition 0: lr=0.1\nval_loss 0.1235\none replicate: no interval" in words


def test_where_all_replicates_failed_no_condition_is_called_best() -> None:
    made = pages.analysis({0: [NAN, NAN], 1: [NAN]})
    assert answer(made) == (
        "No best condition\nNo condition has a mean val_loss, so nothing can be said about which one is best."
    )
    said = first_screen(made, None).verdicts
    assert plain(said) == "2 of 2 conditions have no rank: in 2 no replicate has a score."


def test_conditions_out_of_the_ranking_are_counted_by_reason() -> None:
    replicates = [
        pages.replicate(0, 0, 0.1),
        pages.replicate(1, 0, 0.2),
        pages.replicate(1, 1, NAN, outcome="diverged"),
        pages.replicate(2, 0, NAN),
    ]
    made = pages.analysis({0: [], 1: [], 2: []}, replicates=replicates)
    expected = "2 of 3 conditions have no rank: in 1 a replicate diverged and in 1 no replicate has a score."
    assert plain(without_mean(made)) == expected


def confirmed(luck_of: tuple[float, float], **changes: Any) -> Any:
    search, fresh = luck_of
    found = pages.confirmed(
        2,
        pages.interval(search, search - 0.02, search + 0.02, 3),
        pages.interval(fresh, fresh - 0.01, fresh + 0.01, 10),
    )
    return four(best=pages.best_set(2), confirmed=(found,), **changes)


def test_the_confirmed_estimate_is_the_answer_and_the_one_to_report() -> None:
    assert answer(confirmed((0.11, 0.14))) == (
        "Best condition, confirmed on fresh seeds\ncondition 2: lr=0.3\nval_loss 0.140 [0.130, 0.150]\n"
        "mean of 10 fresh seeds with its 95 % interval\n"
        "This is the estimate to report: nothing was chosen by these seeds. "
        "The search had 0.110 [0.090, 0.130] (95 %, t, n = 3)."
    )


def lucky(made: Any) -> str:
    return plain(luck_words(made.confirmed[0]))


# By hand: 0.14 - 0.11 = 0.03, and hypot(0.02, 0.01) = 0.0224 to either side (see `pages.confirmed`).
def test_luck_has_its_interval_with_both_n_and_the_method() -> None:
    assert lucky(confirmed((0.11, 0.14))) == (
        "The search's estimate was 0.110 [0.090, 0.130] (95 %, t, n = 3): 0.030 [0.008, 0.052] better than on fresh "
        "seeds (95 %, Welch, n = 3 and 10)."
    )


def test_a_search_that_was_too_pessimistic_is_worse_by_a_positive_number() -> None:
    assert "0.030 [0.008, 0.052] worse than on fresh seeds (95 %, Welch" in lucky(confirmed((0.14, 0.11)))


def test_luck_of_one_replicate_in_the_search_has_no_interval_and_says_so() -> None:
    one = replace(pages.confirmed(2, None, pages.interval(0.14, 0.13, 0.15, 10)), luck=pages.lucky(0.03, n_search=1))
    assert lucky(four(best=pages.best_set(2), confirmed=(one,))) == (
        "The search's estimate of 1 replicate, without an interval: 0.03 better than on fresh seeds "
        "(n = 1 and 10: no interval, which takes two of each)."
    )


def test_a_confirmation_without_scores_confirms_nothing() -> None:
    words = answer(four(confirmed=(pages.confirmed(2, pages.interval(0.1, 0.0, 0.2), None),)))
    assert words.startswith("Best condition\n")
    assert "it has no confirmed mean" in words


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("minimize", "On fresh seeds condition 0 has the best mean of the confirmed conditions: 0.120 [0.110, 0.130]"),
        ("maximize", "It also has the best mean of the 2 confirmed conditions."),
    ],
)
def test_of_several_confirmed_conditions_the_best_mean_is_named(direction: str, expected: str) -> None:
    made = four(
        best=pages.best_set(2),
        confirmed=(
            pages.confirmed(2, None, pages.interval(0.14, 0.13, 0.15)),
            pages.confirmed(0, None, pages.interval(0.12, 0.11, 0.13)),
        ),
    )
    made = pages.with_dataset(made, objective=made.dataset.objective.model_copy(update={"direction": direction}))
    assert expected in answer(made)


def test_factors_with_and_without_an_effect_are_told_apart_in_words() -> None:
    assert plain(effects_words(four(effects=pages.effects()))) == (
        "Over all 4 conditions val_loss depends on lr (p < 0.001) and lr x width (p = 0.004). "
        "No effect of width (p = 0.410) was seen; there may still be one."
    )


def test_a_factor_whose_levels_go_with_those_of_others_is_named() -> None:
    found = pages.effects()
    rows = tuple(replace(row, df=0, p_value=math.nan) if row.source == "lr" else row for row in found.rows)
    words = plain(effects_words(four(effects=replace(found, rows=rows))))
    assert words.endswith("The effect of lr cannot be separated from that of other factors.")


def test_shares_of_variance_are_named_from_the_largest_down() -> None:
    assert plain(shares_words(pages.effects(), "val_loss")) == (
        "Of the variance of val_loss, 81 % is due to lr, 12 % is unexplained, "
        "7 % is due to how factors act together and under 1 % is due to the seed."
    )


def test_a_factor_that_is_called_seed_is_a_factor() -> None:
    found = pages.effects()
    rows = tuple(
        replace(row, source={"lr": "seed", "seed": "seed (block)"}.get(row.source, row.source)) for row in found.rows
    )
    made = replace(found, rows=rows, variance_shares={"seed": 0.8, "seed (block)": 0.2})
    assert plain(shares_words(made, "val_loss")) == (
        "Of the variance of val_loss, 80 % is due to seed and 20 % is due to the seed."
    )
