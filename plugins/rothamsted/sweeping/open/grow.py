"""Let a sweep grow: its search goes on as the new file says, and records what was added and when."""

from __future__ import annotations

import time
from collections.abc import Callable

from rothamsted import tags
from rothamsted.analysis.told_replicates import told_outcomes
from rothamsted.errors import ResumeError
from rothamsted.holders import is_alive
from rothamsted.records import Outcome
from rothamsted.search import Queue, SearchRecord, SweepLease
from rothamsted.search.growing import Grown, grow
from rothamsted.search.sql.named import SPEC_KEY
from rothamsted.spec import Growth, Sweep, from_resolved, recorded, without_secrets_in
from rothamsted.sweeping.stage import first_stage
from rothamsted.wording import plain_count, verb

WAIT_SECONDS = 20.0  # for workers of a session that has just ended: they give back what they train
LOOK_SECONDS = 0.2


def grow_search(
    queue: Queue,
    lease: SweepLease,
    sweep: Sweep,
    whole: Sweep,
    record: SearchRecord,
    grown: Growth,
    say: Callable[[str], None],
) -> None:
    """Write a growth into the search, in one transaction. Repeated after a crash, it does nothing.

    Args:
        queue: queue of the search.
        lease: lease of the sweep, held by this process.
        sweep: the sweep or stage that runs.
        whole: the sweep with its stages.
        record: the search's record before.
        grown: what was added.
        say: function that gets a line on what has grown.

    Raises:
        ResumeError: other processes still train by the old file.
    """
    if grown.is_structural:
        _wait_for_workers(queue, whole.name, grown)
    old = from_resolved({**record.spec, "storage": whole.storage})
    trials = queue.trials([tags.RESULT])
    told = [told_outcomes(one.attributes[tags.RESULT]) for one in trials if tags.RESULT in one.attributes]
    entry = {
        "changes": list(grown.changes),
        "remarks": list(grown.remarks),
        "n_conditions": len(told),
        "n_replicates": sum(map(len, told)),
        "has_results": any(outcome != Outcome.FAILED for of_trial in told for outcome in of_trial.values()),
        "is_rescored": any(line.startswith(("objective", "constraints", "early_stopping")) for line in grown.changes),
        "before": without_secrets_in(record.spec),
    }
    grow(
        lease,
        [sweep.name, sweep.confirm_name],
        Grown(
            attributes={SPEC_KEY: recorded(whole)},
            entry=entry,
            before=first_stage(old).search_space,
            after=sweep.search_space,
            directions=[objective.direction for objective in sweep.objectives],
            told_anew={} if entry["is_rescored"] else None,
        ),
    )
    say(f"sweep {whole.name} has grown: {'; '.join(grown.changes)}")


def check_joined(name: str, grown: Growth) -> None:
    """Refuse to help a running session with a grown file. More trials and confirmations wait for the next session.

    Raises:
        ResumeError: the file has grown.
    """
    if grown.is_structural:
        raise ResumeError(
            f"sweep '{name}': {'; '.join(grown.changes)}: another process runs the sweep by the old file; "
            "stop that process or wait for its end, and give this command again"
        )


def _wait_for_workers(queue: Queue, name: str, grown: Growth) -> None:
    """Wait a little for workers that are about to end; they would train and read as the old file says."""
    deadline = time.monotonic() + WAIT_SECONDS
    while living := [worker for worker in queue.leases.holders() if is_alive(worker)]:
        if time.monotonic() > deadline:
            raise ResumeError(
                f"sweep '{name}': {'; '.join(grown.changes)}: {plain_count(len(living), 'worker')} still "
                f"{verb(len(living), 'trains', 'train')} by the old file ({living[0]}); stop the workers or wait for "
                "their end, and give this command again"
            )
        time.sleep(LOOK_SECONDS)
