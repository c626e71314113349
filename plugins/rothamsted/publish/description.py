"""Write the description of an analysed sweep in Markdown, for the top of MLflow's run and Optuna's note.

It is a few lines that fit on a run's page.
"""

from __future__ import annotations

import math
from collections import Counter

from rothamsted.analysis.replicates_words import conditional_words
from rothamsted.analysis.typed import short
from rothamsted.analysis.values import Analysis, ConditionSummary, Confirmed, Dataset, Luck, Phase
from rothamsted.printable import markdown, without_bars
from rothamsted.reporting.sections.tasks import task_words
from rothamsted.reporting.sentences import LUCK_MEANING, luck_estimate, luck_words, with_interval
from rothamsted.reporting.verdicts import verdict_of, verdict_words
from rothamsted.statistics import Interval
from rothamsted.statistics.centres import words_of
from rothamsted.wording import level_percent, plain_count, verb, with_basis

N_SHOWN = 10
PICTURE_TEXT = "the best conditions with their intervals"
MOST_CHARACTERS = 7_500  # MLflow keeps 8


def description(analysis: Analysis, *, picture: str = "") -> str:
    """Write the answer; then what was asked, how much of it is done, the confirmed estimate, the best conditions.

    Args:
        analysis: Of a sweep, a contest or runs.
        picture: Address of a chart that is shown below the answer; empty: none.
    """
    dataset = analysis.dataset
    what = {"sweep": "Sweep", "contest": "Contest", "runs": "Runs of"}[dataset.kind]
    first = [markdown(line) for line in answer(analysis)]
    first += [f"![{PICTURE_TEXT}]({picture})", ""] if picture else []
    lines = [f"## {what} {dataset.name}", ""]
    lines += [dataset.question, ""] if dataset.question else []
    lines += [f"> {mark}" for mark in analysis.marks] + ([""] if analysis.marks else [])
    fresh = counts_text(dataset, "confirm")
    runs = dataset.cells or dataset
    ended = f"replicates: {counts_text(runs, 'search') or 'none'}" + (f"; on fresh seeds: {fresh}" if fresh else "")
    lines += [f"{plain_count(len(dataset.conditions), 'condition')}; {ended}.", ""]
    lines += [f"{race_text(dataset)} Among the dropped, the last dropped come first.", ""] if is_raced(dataset) else []
    if dataset.kind == "contest":
        lines += _contest(analysis)
    elif analysis.ranking:
        words = conditional_words(dataset)
        lines += [*_objectives(analysis), *_confirmed(analysis), *_verdicts(analysis), *_tasks(analysis)]
        lines += [words, ""] if words else []
        lines += _table(analysis)
    elif "confirmation" in dataset.design:
        lines += ["There is no best condition, so there is nothing to confirm."]
    return "\n".join([*first, *map(markdown, lines), ""])[:MOST_CHARACTERS]


def answer(analysis: Analysis) -> list[str]:
    """Write the winner, its estimate, and what cannot be ruled out. MLflow shows these three lines of a description."""
    dataset = analysis.dataset
    if dataset.kind == "contest" or not analysis.ranking:
        return []
    best = next(one for one in dataset.conditions if one.number == analysis.ranking[0])
    fresh = next((one for one in analysis.confirmed if one.condition == best.number and one.mean is not None), None)
    metric = f"{over_text(analysis)}{dataset.objective.metric}"
    if fresh is not None:
        estimate = f"Confirmed on fresh seeds: {metric} {confirmed_text(fresh)}."
    else:
        searched = next(one for one in analysis.objective if one.condition == best.number)
        estimate = f"As the search saw it, which is optimistic: {metric} {estimate_text(searched.interval, searched)}."
    words = verdict_words(analysis, with_plan=False)
    return [f"**Best: {best.label}**", "", estimate, "", *([words, ""] if words else [])]


def counts_text(dataset: Dataset, phase: Phase) -> str:
    """Say how the replicates of a phase ended: '2 failed, 16 finished'."""
    counts = Counter(r.outcome for r in dataset.replicates if r.phase == phase)
    return ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))


def is_raced(dataset: Dataset) -> bool:
    """Say whether the conditions are, or were, in a race."""
    return any(condition.race for condition in dataset.conditions)


def race_text(dataset: Dataset) -> str:
    """Describe the race in a sentence."""
    n_in = {"dropped": 0, "survived": 0, "narrow": 0, "racing": 0}
    for condition in dataset.conditions:
        n_in[condition.race.split(" ")[0] or "racing"] += 1
    counts = ", ".join(f"{n} {word}" for word, n in n_in.items() if n)
    return f"Race, {sum(one.phase == 'search' for one in dataset.replicates)} replicates: {counts}."


def contest_rows(analysis: Analysis) -> list[tuple[str, str, str, str]]:
    """Return of each given condition its name, its values, its estimate, and how its replicates ended."""
    summaries = {summary.condition: summary for summary in analysis.objective}
    return [
        (
            one.name,
            one.label,
            estimate_text(summaries[one.number].interval, summaries[one.number]),
            ", ".join(f"{n} {outcome}" for outcome, n in sorted(summaries[one.number].counts.items())),
        )
        for one in analysis.dataset.conditions
    ]


def _contest(analysis: Analysis) -> list[str]:
    """Given conditions, of which nobody was picked: an estimate is what it seems."""
    objective = analysis.dataset.objective
    rows = [("contestant", "condition", objective.metric, "replicates"), ("---",) * 4, *contest_rows(analysis)]
    return [
        f"Given conditions on common seeds; {objective.metric}, to {objective.direction}.",
        "",
        *(f"| {' | '.join(map(without_bars, row))} |" for row in rows),
    ]


def adjusted_text(summary: ConditionSummary) -> str:
    """Write the mean that a condition is ranked by if it is not its own: '; adjusted for 1 missing seed: 0.127'."""
    if not summary.n_missing:
        return ""
    return f"; adjusted for {summary.n_missing} missing seed{'s' * (summary.n_missing != 1)}: {summary.adjusted:.6g}"


def estimate_text(interval: Interval | None, summary: ConditionSummary | None = None) -> str:
    """Write '0.123 [0.110, 0.136] (95 %, t, n = 3)', or say why there is no interval."""
    if interval is not None:
        return with_interval(interval)
    if summary is None or summary.n == 0:
        return "no score"
    return with_basis(summary.value, math.nan, math.nan, level=math.nan, method="", n=summary.n)


def confirmed_text(one: Confirmed) -> str:
    """Write the estimate on fresh seeds, with what else became of its replicates; or say why there is none."""
    counts = one.summary.counts if one.summary is not None else {}
    odd = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()) if name != "finished")
    if one.mean is None:
        return f"no {words_of(one.summary.over) if one.summary else 'mean'}: {odd or 'no score'}"
    return estimate_text(one.confirmed, one.summary) + (f"; {odd}" if odd else "")


def luck_text(luck: Luck) -> str:
    """Write '+0.030 [−0.002, 0.062] (95 %, Welch, n = 3 and 10)', or say why there is no interval."""
    if not math.isfinite(luck.estimate):
        return "unknown (no score on a side)"
    n_each = f"n = {luck.n_search} and {luck.n_confirmed}"
    sign = "+" if luck.estimate > 0 else ""
    if not luck.has_interval:
        return f"{sign}{luck_estimate(luck)} ({n_each}: no interval)"
    return f"{sign}{luck_estimate(luck)} ({level_percent(luck.level)}, {luck.method}, {n_each})"


def _objectives(analysis: Analysis) -> list[str]:
    """What a composite score is made of, and the Pareto set of several objectives."""
    objectives = (analysis.dataset.objective, *analysis.dataset.others)
    made_of = [f"{one.metric} = {one.expression}" for one in objectives if one.expression]
    lines = [f"Composite: {'; '.join(made_of)}.", ""] if made_of else []
    found = analysis.pareto
    if found is None:
        return lines
    names = ", ".join(f"{one.metric} ({one.direction})" for one in objectives)
    shown = ", ".join(map(str, found.members[:20])) + (" ..." if len(found.members) > 20 else "")
    sure = f"; exactly this set in {100 * found.whole:.0f} % of resamples ({found.method})" if found.frequency else ""
    n, trials = plain_count(len(found.members), "condition"), verb(len(found.members), "trial", "trials")
    return [*lines, f"Pareto set of {names}: {n}, {trials} {shown}{sure}.", ""]


def _confirmed(analysis: Analysis) -> list[str]:
    labels = {condition.number: condition.label for condition in analysis.dataset.conditions}
    lines = []
    for one in analysis.confirmed:
        lines += [
            f"**Confirmed on fresh seeds**, trial {one.condition} ({labels[one.condition]}): "
            f"{over_text(analysis)}{analysis.dataset.objective.metric} {confirmed_text(one)}. "
            f"This is the estimate to report. {luck_words(one)}".rstrip(),
            "",
        ]
    return [*lines, LUCK_MEANING, ""] if lines else lines


def _verdicts(analysis: Analysis) -> list[str]:
    words, found = verdict_words(analysis), analysis.best
    if found is None or not found.others:
        return [words, ""] if words else []
    shown = ", ".join(map(str, found.others[:20])) + (" ..." if len(found.others) > 20 else "")
    return [f"{words} Those that can be the best: trials {found.winner}, {shown}.", ""]


def _tasks(analysis: Analysis) -> list[str]:
    return [line for words in task_words(analysis) for line in (words, "")]


def _table(analysis: Analysis) -> list[str]:
    dataset = analysis.dataset
    names = [factor.name for factor in dataset.factors]
    conditions = {condition.number: condition for condition in dataset.conditions}
    summaries = [{one.condition: one for one in of_one} for of_one in (analysis.objective, *analysis.others)]
    first = ", the Pareto set first, then" if dataset.others else ""
    optimistic = (
        " These are the search's own estimates. The first was chosen because it looked best, so its "
        f"{analysis.over_words} is optimistic."
    )
    more = [
        *["verdict"] * (analysis.best is not None),
        *["Pareto set"] * (analysis.pareto is not None),
        *["race"] * is_raced(dataset),
    ]
    header = ["trial", *names, dataset.objective.metric, *(one.metric for one in dataset.others), *more]
    rows = []
    for number in analysis.ranking[:N_SHOWN]:
        values = conditions[number].values
        row = [str(number), *(short(values[name]) if name in values else "" for name in names)]
        row += [
            estimate_text(of_one[number].interval, of_one[number]) + adjusted_text(of_one[number])
            for of_one in summaries
        ]
        row += [verdict_of(analysis, number)] if analysis.best is not None else []
        row += ["yes" if number in analysis.pareto.members else "no"] if analysis.pareto is not None else []
        rows.append([*row, *[conditions[number].race] * is_raced(dataset)])
    return [
        f"Best conditions{first} by {analysis.over_words} {dataset.objective.metric} ({dataset.objective.direction})."
        + (optimistic if dataset.kind == "sweep" else ""),
        "",
        *(f"| {' | '.join(map(without_bars, row))} |" for row in [header, ["---"] * len(header), *rows]),
    ]


def over_text(analysis: Analysis) -> str:
    """Return 'median ' or another number's name if it is not the mean; else empty."""
    return "" if analysis.over_words == "mean" else f"{analysis.over_words} "
