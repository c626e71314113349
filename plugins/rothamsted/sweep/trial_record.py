"""What a trial's run says in the end: counts of outcomes, status, race, and how a condition becomes params.

Apart from the trial, which decides what is run: here results become words, with nothing that runs or writes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rothamsted import tags
from rothamsted.records import Outcome, ReplicateResult, RunStatus
from rothamsted.sweep.assignment import RACING, Work


def now_ms() -> int:
    """The time of day in milliseconds, as MLflow keeps it."""
    return time.time_ns() // 1_000_000


def closing_status(results: Iterable[ReplicateResult], pruned: str) -> RunStatus:
    """The status of a trial's run whose replicates have all ended."""
    if pruned:
        return RunStatus.KILLED
    has_score = any(r.objective is not None or r.outcome is Outcome.DIVERGED for r in results)
    return RunStatus.FINISHED if has_score else RunStatus.FAILED


def closing_tags(results: Sequence[ReplicateResult], work: Work, pruned: str) -> dict[str, str]:
    """How a trial's replicates ended, why it was pruned, and how it left its race."""
    if pruned:
        said = {tags.OUTCOME: Outcome.PRUNED.value, tags.PRUNED_BECAUSE: pruned[:500]}
        return outcome_tags(results) | said
    if work.verdict is not None:
        return outcome_tags(results) | {tags.RACE: work.verdict["verdict"]}
    return outcome_tags(results) | ({tags.RACE: RACING} if work.is_racing else {})


def race_line(work: Work) -> str:
    """How a condition left its race and why, or how far it is; empty without a race."""
    verdict = work.verdict
    if verdict is not None:
        return f"{verdict['verdict']}: {verdict['reason']}" if verdict["reason"] else verdict["verdict"]
    return f"{RACING}, {len(work.seeds)} replicates so far" if work.is_racing else ""


def outcome_tags(results: Iterable[ReplicateResult]) -> dict[str, str]:
    """How many replicates ended how, and the best of these outcomes, as tags of their trial's run."""
    counts = Counter(result.outcome for result in results)
    best = next(o for o in (Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED, Outcome.FAILED) if counts[o])
    return {f"rothamsted.n_{o.value}": str(counts[o]) for o in Outcome if counts[o]} | {tags.OUTCOME: best.value}


def last_ms(results: Iterable[ReplicateResult]) -> int:
    """The time of the last measurement behind a summary: the same whenever it is written; now without any."""
    finished = (r.history[-1].timestamp_ms for r in results if r.outcome is Outcome.FINISHED and r.history)
    return max(finished, default=now_ms())


def as_params(values: Mapping[str, Any]) -> dict[str, str]:
    """A condition as the params of its run."""
    return {key: str(value) for key, value in values.items()}
