"""Answer the items of the NeurIPS paper checklist on error bars and computing from the record.

The items are "Experiment statistical significance" and "Experiments compute resources". The answers say what is not
recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from rothamsted.analysis.replicates_words import conditional_words, field_words
from rothamsted.analysis.values import Analysis
from rothamsted.printable import markdown
from rothamsted.publish.exported.compute import Compute
from rothamsted.publish.exported.procedure_sources import INTERVALS
from rothamsted.publish.exported.procedures import interval_words
from rothamsted.wording import count, duration, joined, level_percent, number, verb

NOT_RECORDED = "not recorded"
_ASSUMES: Mapping[str, str] = {
    "t": "independent replicates, normally distributed",
    "log": "independent replicates, whose mean is about normal on the log scale",
    "logit": "independent replicates, whose mean is about normal on the logit scale",
    "percentile": "independent replicates, and enough of them: with few the interval is too narrow",
    "bca": "independent replicates, and enough of them: with few the interval is too narrow",
    "wilson": "rows that are independent, and replicates that differ by chance alone",
    "order statistics": "independent replicates; no form of their distribution",
    "trimmed": "independent replicates, whose distribution is about symmetric in its middle",
}


def checklist(analysis: Analysis, compute: Compute) -> str:
    """Write both items as a page of Markdown: each question of the guidelines with its answer.

    Args:
        analysis: The analysis with the intervals.
        compute: The computing of the trainings.
    """
    parts = [
        ("Experiment statistical significance", _error_bars(analysis)),
        ("Experiments compute resources", _resources(compute, analysis)),
    ]
    lines = [f"# NeurIPS paper checklist: {analysis.dataset.name}", ""]
    for title, answers in parts:
        lines += [f"## {title}", "", *(f"- **{question}** {answer}" for question, answer in answers), ""]
    return "\n".join(map(markdown, lines))


def _error_bars(analysis: Analysis) -> Sequence[tuple[str, str]]:
    dataset = analysis.dataset
    found = [one.interval for one in analysis.objective if one.interval]
    found += [one.confirmed for one in analysis.confirmed if one.confirmed]
    if not found:
        return (("Are there error bars?", "No: no condition has enough replicates for an interval."),)
    methods = list(dict.fromkeys(one.method for one in found))
    names = joined(map(field_words, dataset.varied)) or "what the runs differ in, which is not recorded"
    n = sorted({one.n for one in found})
    assumed = joined(dict.fromkeys(_ASSUMES.get(_family(one), NOT_RECORDED) for one in methods))
    outside = {"log", "logit", "trimmed log", "trimmed logit", "wilson"} & set(methods)
    kept = "Intervals stay in the range of their metric and need not be symmetric." if outside else ""
    return (
        ("What do the error bars capture?", f"Variation over {names}. {conditional_words(dataset, has_advice=False)}"),
        (
            "Standard deviation, standard error or confidence interval?",
            f"Confidence intervals of {level_percent(analysis.level)} for the {analysis.over_words}, not standard "
            f"deviations and not standard errors; n = {_numbers(n)} replicates.",
        ),
        (
            "How are they computed?",
            f"By {joined(interval_words(one)[0] for one in methods)}. The methods section names the sources.",
        ),
        ("What do they assume?", f"{assumed.capitalize()}. {kept}".strip()),
        ("Are several conditions compared?", _multiplicity(analysis)),
        ("What was left out?", _left_out(analysis)),
    )


def _numbers(n: Sequence[int]) -> str:
    return joined(map(str, n)) if len(n) < 4 else f"{n[0]} to {n[-1]}"


def _family(method: str) -> str:
    return method if method in INTERVALS else method.split(" ")[0]


def _multiplicity(analysis: Analysis) -> str:
    if analysis.best is None:
        return (
            "No verdicts are given." if len(analysis.ranking) < 2 else f"No verdict: {analysis.gaps.get('best', '')}."
        )
    return (
        "Yes. Each interval is for one condition. Verdicts (worse, as good, open) are corrected for the number of "
        f"conditions: any of the truly best is called worse with a probability of at most "
        f"{number(1 - analysis.best.level, 3)} (nominal, under the assumptions of the procedure)."
    )


def _left_out(analysis: Analysis) -> str:
    dataset = analysis.dataset
    counts: dict[str, int] = {}
    for one in dataset.replicates:
        counts[one.outcome] = counts.get(one.outcome, 0) + 1
    odd = {name: n for name, n in counts.items() if name != "finished"}
    if not odd:
        return f"Nothing: all {count(counts.get('finished', 0), 'replicate')} finished."
    told = joined(f"{n} {name}" for name, n in sorted(odd.items()))
    return (
        f"Of {count(len(dataset.replicates), 'replicate')} {told}. They are in no mean; a condition with a diverged "
        "replicate or one that was pruned has no rank."
    )


def _resources(compute: Compute, analysis: Analysis) -> Sequence[tuple[str, str]]:
    return (
        ("Which machines?", _machines(compute)),
        ("CPU or GPU?", _devices(compute)),
        ("How much memory was used?", _memory(compute)),
        ("How long does one run take?", _per_run(compute)),
        ("How long did all take?", _total(compute)),
        ("Does the total count failed and preliminary runs?", _scope(compute, analysis)),
        ("Storage, cloud provider, energy?", f"{NOT_RECORDED.capitalize()}."),
    )


def _machines(compute: Compute) -> str:
    if not compute.machines:
        return f"{NOT_RECORDED.capitalize()}."
    asked = "" if compute.n_asked == compute.n_runs else f" (of the {compute.n_asked} runs that were looked at)"
    told = joined(f"{name} ({count(n, 'run')})" for name, n in compute.machines.items())
    python = f"; Python {joined(compute.python)}" if compute.python else ""
    return f"{told}{asked}{python}."


def _devices(compute: Compute) -> str:
    if not compute.devices:
        return "No GPU is on record for any run."
    n_without = compute.n_asked - sum(compute.devices.values())
    rest = f"; {count(n_without, 'run')} without a GPU on record" if n_without else ""
    told = joined(f"{name} ({count(n, 'run')})" for name, n in compute.devices.items())
    return f"{told}{rest}."


def _memory(compute: Compute) -> str:
    if not compute.memory:
        return f"Peak memory is {NOT_RECORDED}; the memory of a machine is given with its name."
    told = joined(f"{name} {number(value)}" for name, value in sorted(compute.memory.items()))
    return f"Largest last value over the runs, by metric: {told}."


def _per_run(compute: Compute) -> str:
    finished = sorted(compute.seconds.get("finished", ()))
    if not finished:
        return f"{NOT_RECORDED.capitalize()}: no run finished with a time."
    shared = " Several runs were trained in one call, so their times overlap." if compute.is_shared else ""
    return (
        f"Wall-clock from start to end of a finished run: median {duration(median(finished))}, from "
        f"{duration(finished[0])} to {duration(finished[-1])} (n = {len(finished)}).{shared}"
    )


def _total(compute: Compute) -> str:
    if not compute.seconds:
        return f"{NOT_RECORDED.capitalize()}."
    by = joined(
        f"{duration(sum(of_one))} of {count(len(of_one), 'run')} that {_ended(outcome)}"
        for outcome, of_one in sorted(compute.seconds.items(), key=lambda item: -sum(item[1]))
    )
    started = f" The sweep's file asks for workers: {compute.workers}." if compute.workers else ""
    return (
        f"{duration(compute.total)} of wall-clock time, the sum over all runs, also of those that ran at the same "
        f"time: {by}.{started}"
    )


def _ended(outcome: str) -> str:
    return {"pruned": "were pruned", "interrupted": "were interrupted", "running": "still run"}.get(outcome, outcome)


def _scope(compute: Compute, analysis: Analysis) -> str:
    left = f" {count(compute.n_open, 'run')} without an end on record {verb(compute.n_open, 'is', 'are')} not in it."
    of = "this sweep, with earlier attempts of a replicate" if analysis.dataset.kind == "sweep" else "these runs"
    return (
        f"It counts all {count(compute.n_runs, 'run')} of {of}, and failed ones, too."
        f"{left if compute.n_open else ''} What was tried in other sweeps or by hand is not in it."
    )
