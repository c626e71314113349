"""Open a finished sweep to read it: nothing is run, and nothing is written.

The published result of a sweep follows from its file, its search, its runs and this program. A digest of them is kept
with the result. If it has not changed, publishing again would write the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from rothamsted import __version__, tags, tracking
from rothamsted.metric import metrics_to_plain
from rothamsted.search import check_storage
from rothamsted.search.sql.named import SWEEP_LEASE
from rothamsted.spec import Sweep, digest, from_resolved, recorded
from rothamsted.studies import Study
from rothamsted.sweeping.attempts import to_try_again
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.asked import ask_stores, code_of_target, digest_of_first_data, started_record
from rothamsted.sweeping.open.sweep_run import mark_continuation
from rothamsted.sweeping.opened import Opened, Place, open_started
from rothamsted.sweeping.stage import LaterStage

RETRIED_BY = (tags.RESULT, tags.ATTEMPTS, tags.CRASHES, tags.PRUNED)  # what decides whether a trial is tried again
OF_TRIALS = (*RETRIED_BY, tags.RUN_ID, tags.VERDICT, tags.CONFIRMS)


def open_over(
    sweep: Sweep, study: Study | ForeignStudy, place: Place, *, stage: LaterStage | None = None
) -> Opened | None:
    """Return the sweep if it is over with the same file, code and data; None: open it as any other.

    Args:
        sweep: a sweep without later stages.
        study: what it trains.
        place: where it is started.
        stage: its link if it is a later stage.

    Raises:
        UserError: as `open_sweep`.
    """
    check_storage(sweep.storage)
    record = started_record(sweep.storage, sweep.name)
    if record is None or record.attributes.get(SWEEP_LEASE, {}).get("how") != "over":
        return None
    before, codes = (
        from_resolved({**record.spec, "storage": sweep.storage}),
        record.attributes.get(tags.CODE_DIGESTS, []),
    )
    code_now = code_of_target(sweep, study, place.root, record=record, source=place.source)
    if digest(before) != digest(sweep) or codes[-1:] != [code_now.digest]:
        return None
    if record.attributes.get(tags.DATA_DIGEST) != digest_of_first_data(sweep, study):
        return None
    outer_run_id = place.outer_run_id if stage is None else None
    outer = ask_stores(sweep.storage, replace(place, outer_run_id=outer_run_id), default_experiment=sweep.experiment)
    uri = place.tracking_uri
    opened = open_started(sweep.name, sweep.storage, root=place.root, find_target=lambda whole: study, tracking_uri=uri)
    if outer is not None and outer.run_id != opened.sweep_run_id:
        mark_continuation(opened.recorder, outer, opened.experiment_id, opened.sweep_run_id, sweep.name)
    return replace(opened, question=place.question)


def is_tried_again(opened: Opened) -> bool:
    """Return whether the same command would train replicates again: failed ones with attempts left."""
    retries = opened.sweep.execution.retries
    ended = [trial for queue in opened.queues for trial in queue.trials(RETRIED_BY)]
    return any(to_try_again(trial.attributes, retries=retries) is not None for trial in ended)


def digest_of(opened: Opened) -> str:
    """Return a digest of everything that the published result of a sweep depends on.

    Of runs it has whether they exist and when they ended. Numbers that are logged later are seen only by `rothamsted
    analyze`.
    """
    of = [
        __version__,
        recorded(opened.sweep),
        opened.question,
        metrics_to_plain(opened.study.known_metrics),
        [queue.digest(OF_TRIALS) for queue in opened.queues],
        tracking.states_of_runs(opened.experiment_id, opened.sweep.name, uri=opened.tracking_uri),
    ]
    return hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()
