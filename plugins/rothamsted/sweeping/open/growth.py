"""Check that the storage's studies of this name belong to this sweep, and find what has grown.

Nothing is created.
"""

from __future__ import annotations

from rothamsted import tags
from rothamsted.analysis.told_replicates import replicates_of
from rothamsted.analysis.values import Replicate
from rothamsted.errors import ResumeError, StoreError, StudyError
from rothamsted.records import Outcome
from rothamsted.search import SearchRecord, find_search
from rothamsted.spec import Begun, Growth, Sweep, from_resolved, growth
from rothamsted.spec.schema import CONFIRM_SUFFIX
from rothamsted.sweeping.histories import histories_of
from rothamsted.sweeping.opened import confirm_queue_of, queue_of
from rothamsted.sweeping.scores import check_measured, scored
from rothamsted.sweeping.stage import first_stage, stage_name

CONFIRM_STUDY = "rothamsted:confirm_study"
_CAME_TO_A_RESULT = frozenset({Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED})


def growth_since(sweep: Sweep, record: SearchRecord, data_digest: str | None, *, tracking_uri: str) -> Growth:
    """Return what was added to a sweep that goes on.

    Raises:
        ResumeError: a change would give finished results another meaning, the data changed, or finished replicates have
            not logged a metric. The message is one line with the way out.
    """
    old = from_resolved({**record.spec, "storage": sweep.storage})
    told = _told(old)
    grown = growth(old, sweep, _begun(old, record, told))
    if grown.refused:
        raise ResumeError(
            f"sweep '{sweep.name}' was started before with other contents: {'; '.join(grown.refused)}. Give the "
            "changed sweep another name (-P name=...), or undo the change"
        )
    before = record.attributes.get(tags.DATA_DIGEST)
    if before != data_digest and tags.RUN_ID in record.attributes:
        raise ResumeError(
            f"sweep '{sweep.name}' was started on other data (digest {str(before)[:12]}, now "
            f"{str(data_digest)[:12]}): its replicates would not be comparable. Give the sweep another name"
        )
    if grown.is_rescored:
        _check_logged(sweep, grown, told, tracking_uri)
    return grown


def _told(old: Sweep) -> list[Replicate]:
    """All replicates that the search and its confirmation were told of."""
    first = first_stage(old)
    queues = [queue_of(first)]
    if first.confirm is not None and find_search(old.storage, first.confirm_name) is not None:
        queues += [queue for queue in [confirm_queue_of(first)] if queue is not None]
    told = [trial for queue in queues for trial in queue.trials([tags.CONFIRMS, tags.RESULT])]
    return [one for trial in told for one in replicates_of(trial, first)]


def _begun(old: Sweep, record: SearchRecord, told: list[Replicate]) -> Begun:
    """How far a sweep is."""
    confirmation = find_search(old.storage, old.confirm_name) if old.confirm is not None else None
    first = first_stage(old)
    queue = confirm_queue_of(first) if confirmation is not None and first.confirm is not None else None
    has_confirmed = queue is not None and queue.counts().total > 0
    keeps_models = old.models in ("best", "all") or (has_confirmed and old.models != "none")
    return Begun(
        has_results=any(one.outcome in _CAME_TO_A_RESULT for one in told),
        has_confirmed=has_confirmed,
        has_next_stage=tags.NEXT_STAGE in record.attributes,
        has_models=keeps_models and bool(told),
    )


def _check_logged(sweep: Sweep, grown: Growth, told: list[Replicate], tracking_uri: str) -> None:
    """Refuse an objective or a constraint that a finished replicate cannot be judged by.

    Raises:
        ResumeError: names the metric, and the nearest of those that were logged.
    """
    finished = [one for one in told if one.outcome == Outcome.FINISHED]
    histories = histories_of(finished, {}, tracking_uri=tracking_uri)
    for one in finished:
        try:
            check_measured([scored(measured, sweep) for measured in histories[one.run_id]], first_stage(sweep))
        except StudyError as error:
            raise ResumeError(
                f"sweep '{sweep.name}': {'; '.join(grown.changes)}: the finished replicates ({len(finished)}) get "
                f"their scores from what they have logged, and {error}; name one of those, or give the sweep another "
                "name"
            ) from error


def check_confirm_study(sweep: Sweep, record: SearchRecord | None) -> None:
    """Refuse to confirm into an Optuna study that belongs to something else.

    Raises:
        StoreError: there is a study of that name that is not this sweep's.
    """
    if sweep.confirm is None or (record is not None and CONFIRM_STUDY in record.attributes):
        return
    if find_search(sweep.storage, sweep.confirm_name) is not None:
        raise StoreError(
            f"storage {sweep.storage}: holds a study called '{sweep.confirm_name}' already, the name of this sweep's "
            "confirmation; give the sweep another name, or another -P storage="
        )


def check_later_stages(sweep: Sweep, record: SearchRecord | None) -> None:
    """Refuse a sweep if later stages would go into Optuna studies that belong to something else.

    Raises:
        StoreError: there is a study of such a name that is not a stage of this sweep.
    """
    run_id = record.attributes.get(tags.RUN_ID) if record is not None else None
    for index in range(1, len(sweep.stages)):
        name = stage_name(sweep, index)
        found = find_search(sweep.storage, name)
        stage = found.attributes.get(tags.STAGE) if found is not None else None
        is_ours = stage is not None and stage["of_run_id"] == run_id
        taken = [name] if found is not None and not is_ours else []
        confirm_name = name + CONFIRM_SUFFIX
        is_last = index == len(sweep.stages) - 1
        if is_last and found is None and sweep.confirm is not None and find_search(sweep.storage, confirm_name):
            taken.append(confirm_name)
        if taken:
            raise StoreError(
                f"storage {sweep.storage}: holds a study called '{taken[0]}' already, a name that stage {index + 1} of "
                "this sweep needs; give the sweep another name, or another -P storage="
            )
