"""Write the first screen of a report: the question, the answer, what to do next, and the chart of all conditions."""

from __future__ import annotations

from rothamsted.analysis.values import Analysis, Confirmed
from rothamsted.reporting.next_steps import next_steps
from rothamsted.reporting.parts import BestAnswer, Commands, FirstScreen, IntervalChart, ShownStep
from rothamsted.reporting.sentences import (
    adjusted_words,
    capital,
    numbered,
    pareto_words,
    short_labels,
    summary_of,
    with_interval,
    without_mean,
)
from rothamsted.reporting.verdicts import verdict_words
from rothamsted.spec.comment import headed
from rothamsted.statistics import Interval
from rothamsted.statistics.centres import with_article
from rothamsted.wording import GAP, count, estimate, level_percent, number

CHOSEN = "It was chosen because it looked best, so its true mean is probably not as good."


def first_screen(analysis: Analysis, chart: IntervalChart | None) -> FirstScreen:
    """Return everything that a reader needs before the details.

    Args:
        analysis: What is reported.
        chart: Chart of all conditions; None if no condition has a mean.
    """
    steps = tuple(
        ShownStep(words=one.words, commands=Commands(lines=one.lines) if one.lines else None)
        for one in next_steps(analysis)
    )
    said = verdict_words(analysis, with_plan=False) if analysis.ranking else without_mean(analysis)
    return FirstScreen(
        question=question_of(analysis),
        answer=_answer(analysis),
        verdicts=" ".join(one for one in (said, pareto_words(analysis)) if one),
        steps=steps,
        chart=chart,
    )


def question_of(analysis: Analysis) -> str:
    """Return the question of the sweep's file; empty if none is recorded."""
    asked = [words for head, words in headed(analysis.dataset.question) if head in ("", "Question")]
    return capital(" ".join(asked))


def _answer(analysis: Analysis) -> BestAnswer | None:
    """The best condition with its estimate, confirmed where it was."""
    dataset, metric = analysis.dataset, analysis.dataset.objective.metric
    if not analysis.ranking:
        what = f"{with_article(analysis.over_words)} {metric}"
        why = f"No condition has {what}, so nothing can be said about which one is best."
        return BestAnswer(title="No best condition", name="", estimate="", basis="", words=(why,))
    winner = analysis.ranking[0]
    again = next((one for one in analysis.confirmed if one.condition == winner), None)
    is_contest, first = dataset.kind == "contest", ", by the first objective" if dataset.others else ""
    what = "The only condition" if len(analysis.ranking) == 1 else "Best condition"
    named = f"{numbered(winner)}: {label}" if (label := short_labels(analysis).get(winner, "")) else numbered(winner)
    if again is not None and again.mean is not None:
        words = (_search_words(again), *_other_confirmed(analysis, winner))
        return BestAnswer(
            title=f"{what}{first}, confirmed on fresh seeds",
            name=named,
            estimate=_written(metric, again.confirmed, again.mean),
            basis=_basis(again.confirmed, again.luck.n_confirmed, "fresh seed", analysis.over_words),
            words=tuple(one for one in words if one),
        )
    found = summary_of(analysis, winner)
    interval, n = (found.interval, found.n) if found else (None, 0)
    mean = found.value if found else float("nan")
    missing = adjusted_words(found) if found else ""
    failed = (
        (f"On fresh seeds a replicate of it diverged: it has no confirmed {analysis.over_words}.",)
        if again is not None
        else ()
    )
    words = (*failed, *_other_confirmed(analysis, winner))
    if not is_contest and len(analysis.ranking) > 1 and not words:
        words = (CHOSEN if dataset.kind == "runs" else f"Not confirmed on fresh seeds. {CHOSEN}",)
    return BestAnswer(
        title=f"{what}{first}" if dataset.kind != "sweep" or again is not None else f"{what} of the search{first}",
        name=named,
        estimate=_written(metric, interval, mean),
        basis=_basis(interval, n, "replicate", analysis.over_words) + missing,
        words=words,
    )


def _written(metric: str, interval: Interval | None, mean: float) -> str:
    if interval is None:
        return f"{metric} {number(mean)}"
    written = estimate(interval.estimate, interval.low, interval.high)
    return f"{metric} {written.value} {written.interval.replace(' ', GAP)}"


def _basis(interval: Interval | None, n: int, noun: str, what: str) -> str:
    """What the numbers are: "mean of 10 fresh seeds with its 95 % interval"."""
    if interval is None:
        return "one replicate: no interval" if n == 1 else f"{what} of {count(n, noun)}, no interval"
    return f"{what} of {count(interval.n, noun)} with its {level_percent(interval.level)} interval"


def _search_words(again: Confirmed) -> str:
    """What the search thought of the confirmed condition, and why that is not the estimate to report."""
    if again.search is None:
        return "This is the estimate to report: nothing was chosen by these seeds."
    return (
        f"This is the estimate to report: nothing was chosen by these seeds. The search had "
        f"{with_interval(again.search)}."
    )


def _other_confirmed(analysis: Analysis, winner: int) -> tuple[str, ...]:
    """A confirmed condition whose mean on fresh seeds is better than the winner's, where there is one."""
    usable = [one for one in analysis.confirmed if one.mean is not None]
    if not usable:
        return ()
    sign = 1.0 if analysis.dataset.objective.direction == "minimize" else -1.0
    first = min(usable, key=lambda one: sign * (one.mean if one.mean is not None else 0.0))
    if first.condition == winner:
        return (
            (f"It also has the best {analysis.over_words} of the {len(usable)} confirmed conditions.",)
            if len(usable) > 1
            else ()
        )
    of = "of the confirmed conditions" if len(usable) > 1 else "that was confirmed"
    return (
        f"On fresh seeds condition{GAP}{first.condition} has the best {analysis.over_words} {of}: "
        f"{with_interval(first.confirmed) if first.confirmed else number(first.mean or 0.0)}.",
    )
