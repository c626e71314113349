"""Whether what a storage holds under a sweep's names is this very sweep: its file, its data, its later parts.

Apart from `start`, because nothing here creates anything: it is asked before anything is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rothamsted import tags
from rothamsted.errors import ResumeError, StoreError
from rothamsted.search import SearchRecord, find_search
from rothamsted.spec import PLACE_KEYS, Sweep, difference, grown_only, resolved
from rothamsted.spec.schema import CONFIRM_SUFFIX
from rothamsted.sweeping.stage import stage_name

CONFIRM_STUDY = "rothamsted:confirm_study"


def check_unchanged(sweep: Sweep, record: SearchRecord, data_digest: str | None) -> None:
    """Refuse to go on if the sweep file or the data have changed, unless only the budget grew.

    Raises:
        ResumeError: with the difference.
    """
    old, new = _content(record.spec), _content(resolved(sweep))
    if old != new and not grown_only(old, new):
        lines = "; ".join(difference(old, new))
        raise ResumeError(
            f"sweep '{sweep.name}' was started before with other contents: {lines}. Give the changed sweep "
            f"another name (-P name=...), or undo the change; {_may_change(sweep)}, execution may change"
        )
    before = record.attributes.get(tags.DATA_DIGEST)
    if before != data_digest and tags.RUN_ID in record.attributes:
        raise ResumeError(
            f"sweep '{sweep.name}' was started on other data (digest {str(before)[:12]}, now "
            f"{str(data_digest)[:12]}): its replicates would not be comparable. Give the sweep another name"
        )


def check_confirm_study(sweep: Sweep, record: SearchRecord | None) -> None:
    """Refuse to confirm into an Optuna study that is somebody else's.

    Raises:
        StoreError: there is one of that name, and it is not this sweep's.
    """
    if sweep.confirm is None or (record is not None and CONFIRM_STUDY in record.attributes):
        return
    if find_search(sweep.storage, sweep.confirm_name) is not None:
        raise StoreError(
            f"storage {sweep.storage}: holds a study called '{sweep.confirm_name}' already, the name of this sweep's "
            "confirmation; give the sweep another name, or another -P storage="
        )


def check_later_stages(sweep: Sweep, record: SearchRecord | None) -> None:
    """Refuse a sweep whose later stages would go into Optuna studies that are somebody else's.

    Raises:
        StoreError: there is one of such a name, and it is no stage of this very sweep.
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


def _content(spec: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in PLACE_KEYS}
    return json.loads(json.dumps(kept))


def _may_change(sweep: Sweep) -> str:
    if sweep.replicates.racing is not None:
        return "timeout may grow, but a race keeps its conditions"
    if sweep.stages:
        return "timeout may grow, but a sweep with stages keeps its conditions"
    return "trials and timeout may grow"
