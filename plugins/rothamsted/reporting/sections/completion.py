"""Write the sections on completion and cost: what was run, how it ended, and how long it took."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from rothamsted.analysis.values import Analysis, Replicate
from rothamsted.reporting.parts import Column, DataTable, Part, Row, columns, gap, numeric, paragraphs, text
from rothamsted.reporting.sentences import outcome_words, short_labels, without_mean
from rothamsted.reporting.tables.cells import MOST_ROWS, limit_note
from rothamsted.wording import MISSING, count, duration

OWN_TO_ONE = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?")  # what tells the same failure apart from run to run


def completion(analysis: Analysis) -> tuple[Part, ...]:
    """Say how many replicates ended in which way, and why some have no score."""
    replicates = analysis.dataset.replicates
    if not replicates:
        return gap("There are no replicates.")
    ended = outcome_words(one.outcome for one in replicates)
    n_conditions = count(len(analysis.dataset.conditions), "condition")
    opening = f"{count(len(replicates), 'replicate')} of {n_conditions}: {ended}. {without_mean(analysis)}"
    excluded = [one for one in replicates if one.outcome == "finished" and not math.isfinite(one.objective)]
    metric, verb = analysis.dataset.objective.metric, "counts" if len(excluded) == 1 else "count"
    left_out = f"{count(len(excluded), 'replicate')} finished without a finite {metric} and {verb} in no mean."
    reasons, is_confirmed = failures(replicates), any(one.phase == "confirm" for one in replicates)
    pruned = pruned_conditions(analysis)
    return (
        *paragraphs(opening.strip(), left_out if excluded else "", _early(replicates)),
        *((_by_phase(replicates),) if is_confirmed and {one.outcome for one in replicates} != {"finished"} else ()),
        *((pruned,) if pruned.rows else ()),
        *((reasons,) if reasons.rows else ()),
    )


def pruned_conditions(analysis: Analysis) -> DataTable:
    """Return the conditions that a pruner stopped: at which step, after how many replicates, and why."""
    found = [condition for condition in analysis.dataset.conditions if condition.pruned]
    labels = short_labels(analysis)
    rows = []
    for one in found[:MOST_ROWS]:
        own = [r for r in analysis.dataset.replicates if r.condition == one.number and r.phase == "search"]
        step = _last_step([r for r in own if r.outcome == "pruned"])
        n_finished = sum(r.outcome == "finished" for r in own)
        rows.append(
            Row(
                cells=(
                    numeric(str(one.number), one.number),
                    text(labels.get(one.number, "")),
                    numeric(MISSING if step is None else str(step), step),
                    numeric(str(n_finished), n_finished),
                    text(one.pruned),
                )
            )
        )
    head = (Column(title="No.", is_numeric=True), Column(title="Condition"))
    return DataTable(
        caption=f"{count(len(found), 'condition')} pruned (stopped early): in no ranking and no interval.",
        columns=(*head, *columns("Stopped at step", "Replicates finished"), Column(title="Pruned")),
        rows=tuple(rows),
        notes=limit_note(len(found), "condition", "conditions.csv"),
    )


def _last_step(replicates: Sequence[Replicate]) -> int | None:
    """The last step that was measured of any of some replicates; None where no curve was read."""
    return max((int(s.steps[-1]) for one in replicates for s in one.series.values() if len(s.steps)), default=None)


def _early(replicates: Sequence[Replicate]) -> str:
    """How many replicates stopped by themselves before the end."""
    n = sum(bool(one.stopped_early) for one in replicates)
    if not n:
        return ""
    return f"{count(n, 'of the finished replicates', 'of the finished replicates')} stopped early: no longer improving."


def failures(replicates: Sequence[Replicate]) -> DataTable:
    """Say why replicates have no score, the commonest reason first; reasons that differ only in numbers are one."""
    groups: dict[tuple[str, str], list[Replicate]] = {}
    for one in replicates:
        if one.outcome != "pruned" and (one.reason or one.outcome not in ("finished", "running")):
            groups.setdefault((one.outcome, OWN_TO_ONE.sub("#", one.reason)), []).append(one)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    rows = [
        Row(
            cells=(
                text(outcome),
                text(_reason(found)),
                numeric(str(len(found)), len(found)),
                numeric(str(len({one.condition for one in found})), len({one.condition for one in found})),
                text(found[0].run_id),
            )
        )
        for (outcome, _), found in ordered[:MOST_ROWS]
    ]
    words = columns("Outcome", "Reason", numeric_from=2)
    numbers = columns("Replicates", "Conditions")
    return DataTable(
        caption="Replicates without a score, by reason.",
        columns=(*words, *numbers, Column(title="For example run")),
        rows=tuple(rows),
        notes=limit_note(len(ordered), "reason", "replicates.csv"),
    )


def cost(analysis: Analysis) -> tuple[Part, ...]:
    """Say in a sentence how long the replicates took: those that ran, not those that were planned."""
    replicates = analysis.dataset.replicates
    known = sorted(one.seconds for one in replicates if math.isfinite(one.seconds))
    n_unknown = len(replicates) - len(known)
    if not known:
        return gap("No replicate has a duration on record.")
    said = [f"All replicates together took {duration(math.fsum(known))}, failed ones included"]
    if len(known) > 1:
        ends = f"from {duration(known[0])} to {duration(known[-1])}"
        said.append(f"one took {duration(median(known))} (median; {ends})")
    elapsed = "" if n_unknown else _elapsed(replicates)
    said += [f"from the first start to the last end it was {elapsed}"] if elapsed else []
    unknown = f" {count(n_unknown, 'replicate')} without a duration on record." if n_unknown else ""
    return paragraphs(f"{'; '.join(said)}.{unknown}")


def _by_phase(replicates: Sequence[Replicate]) -> DataTable:
    """Outcomes by phase: the search, and the confirmation on fresh seeds."""
    outcomes = dict.fromkeys(one.outcome for one in replicates)
    n = Counter((one.outcome, one.phase) for one in replicates)
    rows = [
        Row(
            cells=(
                text(outcome),
                *(numeric(str(n[outcome, phase]), n[outcome, phase]) for phase in ("search", "confirm")),
            )
        )
        for outcome in outcomes
    ]
    return DataTable(
        caption="How replicates ended.",
        columns=columns("Outcome", "Search", "Confirmation", numeric_from=1),
        rows=tuple(rows),
    )


def _reason(found: Sequence[Replicate]) -> str:
    """The reason of a group, and whether its members differ in numbers."""
    first = found[0].reason
    if not first:
        return "no reason on record"
    return first if all(one.reason == first for one in found) else f"{first} (one of several that differ in numbers)"


def _elapsed(replicates: Sequence[Replicate]) -> str:
    """Wall-clock time over all replicates; empty where a start is not on record."""
    if not all(one.started_ms for one in replicates):
        return ""
    first = min(one.started_ms for one in replicates)
    last = max(one.started_ms + 1000 * one.seconds for one in replicates)
    return duration((last - first) / 1000)
