"""A sweep in words: what became of its conditions, and the best of them, for MLflow, optuna-dashboard and terminal.

Apart from the results, which are values: here are the sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rothamsted.records import Outcome
from rothamsted.spec import Sweep
from rothamsted.sweep.results import ConditionResult, outcome_counts, pareto_front, ranked, short
from rothamsted.sweep.trial_summary import describe_estimate


def description(results: Sequence[ConditionResult], sweep: Sweep, *, question: str, n_shown: int = 10) -> str:
    """The sweep in Markdown, as MLflow shows it on the sweep's run."""
    best = ranked(results, sweep.objective.direction)
    counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcome_counts(results).items()))
    lines = [f"## Sweep {sweep.name}", "", question, ""] if question else [f"## Sweep {sweep.name}", ""]
    lines += [f"{len(results)} of {sweep.n_trials} conditions finished; replicates: {counts or 'none'}.", ""]
    lines += [part for line in fates(results, sweep) for part in (f"{_sentence(line)}.", "")]
    if not best:
        return "\n".join([*lines, *(f"{_sentence(line)}." for line in no_score(results)), ""])
    if any(r.race for r in results):
        lines += [f"{race_text(results)} Among the dropped, the last dropped come first.", ""]
    return "\n".join([*lines, f"{_heading(sweep)}", "", *_table(best, results, sweep, n_shown), ""])


def _heading(sweep: Sweep) -> str:
    first = sweep.objective
    if len(sweep.objectives) > 1:
        return (
            f"Conditions on the Pareto set first, by mean {first.metric} ({first.direction}). These are the search's "
            "own estimates: they are there because they looked good, so their means are optimistic."
        )
    return (
        f"Best conditions by mean {first.metric} ({first.direction}). These are the search's own estimates: the first "
        "is picked because it looked best, so its mean is optimistic."
    )


def _table(
    best: Sequence[ConditionResult], results: Sequence[ConditionResult], sweep: Sweep, n_shown: int
) -> list[str]:
    level, direction = sweep.statistics.level, sweep.objective.direction
    names = list(dict.fromkeys(key for r in best for key in r.condition))
    is_race, is_several = any(r.race for r in results), len(sweep.objectives) > 1
    front = {r.number for r in pareto_front(best, direction)}
    header = ["trial", *names, *(o.metric for o in sweep.objectives), *["Pareto set"] * is_several, *["race"] * is_race]
    rows = [
        [
            str(r.number),
            *(short(r.condition.get(key, "")) for key in names),
            describe_estimate(r.summary, level),
            *(describe_estimate(other["summary"], level) for other in r.others),
            *["yes" if r.number in front else "no"] * is_several,
            *[r.race or "racing"] * is_race,
        ]
        for r in best[:n_shown]
    ]
    return [f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows]]


def fates(results: Sequence[ConditionResult], sweep: Sweep) -> list[str]:
    """What became of conditions that are not ranked, and how many are on the Pareto set; nothing where all is plain."""
    lines, n_conditions = [], len(results)
    if n_pruned := sum(bool(r.pruned) for r in results):
        lines.append(f"{n_pruned} of {n_conditions} conditions pruned")
    judged = [r for r in results if r.violations and not r.pruned]
    if n_broken := sum(not r.is_feasible for r in judged):
        broken = [
            f"{text} by {n}"
            for index, text in enumerate(sweep.constraints)
            if (n := sum(r.violations[index] > 0 for r in judged))
        ]
        lines.append(f"{n_broken} of {n_conditions} conditions break a constraint ({', '.join(broken)})")
    best = ranked(results, sweep.objective.direction)
    if len(sweep.objectives) > 1 and best:
        n_front = len(pareto_front(best, sweep.objective.direction))
        lines.append(f"{n_front} of {n_conditions} conditions on the Pareto set")
    return lines


def no_score(results: Sequence[ConditionResult]) -> list[str]:
    """Why there is no best condition."""
    if any(r.mean is not None for r in results):
        return ["no condition keeps every constraint, so there is no best one"]
    reasons = Counter(
        one["reason"]
        for r in results
        for one in r.replicates
        if one["outcome"] == Outcome.FAILED.value and one.get("reason")
    )
    lines = ["no condition has a score"]
    if reasons:
        (reason, n), n_failed = reasons.most_common(1)[0], reasons.total()
        of = f"{n} of {n_failed} failed replicates" if n < n_failed else f"{n_failed} failed replicates, each"
        lines.append(f"{of}: {reason}")
    return lines


def race_text(results: Sequence[ConditionResult]) -> str:
    """The race in a sentence."""
    n_in = {"dropped": 0, "survived": 0, "narrow": 0, "racing": 0}
    for result in results:
        n_in[result.race.split(" ")[0] or "racing"] += 1
    counts = ", ".join(f"{n} {word}" for word, n in n_in.items() if n)
    return f"Race, {sum(sum(r.outcomes.values()) for r in results)} replicates: {counts}."


def _sentence(line: str) -> str:
    return line[:1].upper() + line[1:]
