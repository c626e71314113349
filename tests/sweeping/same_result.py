"""What the search says of a sweep and what the record says of it must be the same: compared after every sweep."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest

from rothamsted import tags
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Condition, Dataset, Replicate
from rothamsted.search import find_search
from rothamsted.spec import from_resolved
from rothamsted.sweeping.opened import confirm_queue_of, queue_of
from rothamsted.sweeping.stage import first_stage


def check_readers_agree(storage: str, tracking_uri: str) -> None:
    """Compare both readers on every sweep of a storage that has run to its end."""
    for name in optuna.get_all_study_names(storage):
        record = find_search(storage, name) if ".confirm" not in name else None
        if record is None or tags.RUN_ID not in record.attributes or tags.CONTEST in record.attributes:
            continue
        sweep = first_stage(from_resolved({**record.spec, "storage": storage}))
        has_confirmation = sweep.confirm is not None and find_search(storage, sweep.confirm_name) is not None
        confirmation = confirm_queue_of(sweep) if has_confirmation else None
        run_id = str(record.attributes[tags.RUN_ID])
        grown = record.attributes.get(tags.GROWN, [])
        searched = read_search(queue_of(sweep), sweep, confirmation=confirmation, run_id=run_id, growths=grown)
        if searched.is_complete:
            assert_same_result(searched, read_sweep(run_id, uri=tracking_uri))


def assert_same_result(searched: Dataset, recorded: Dataset) -> None:
    """Equal conditions, replicates with their outcomes and objectives, and rankings."""
    _same("conditions", [_condition(one) for one in searched.conditions], [_condition(c) for c in recorded.conditions])
    of_search, of_record = _replicates(searched), _replicates(recorded)
    _same("which replicates there are", of_search.keys(), of_record.keys())
    for place, one in of_search.items():
        _same(f"replicate {place}", one, of_record[place])
    _same("ranking", ranked(searched), ranked(recorded))
    _same("ranking on fresh seeds", ranked(searched, "confirm"), ranked(recorded, "confirm"))
    _same("objectives", (searched.objective, *searched.others), (recorded.objective, *recorded.others))
    _same("factors", [one.name for one in searched.factors], [one.name for one in recorded.factors])
    _same("what is not confirmed yet", searched.unconfirmed, recorded.unconfirmed)


def _same(what: str, in_search: object, in_record: object) -> None:
    if in_search != in_record:
        raise AssertionError(f"{what}: the search says\n{in_search}\nand the record\n{in_record}")


def _condition(one: Condition) -> dict[str, Any]:
    fields = ("number", "values", "label", "run_id", "confirm_run_id", "race", "dropped_after", "pruned")
    violations = {text: pytest.approx(amount, rel=1e-12) for text, amount in one.violations}
    return {**{name: getattr(one, name) for name in fields}, "violations": violations}


def _replicates(found: Dataset) -> dict[tuple[str, int, int], dict[str, Any]]:
    return {(one.phase, one.condition, one.number): _replicate(one) for one in found.replicates}


def _replicate(one: Replicate) -> dict[str, Any]:
    fields = ("run_id", "seed", "outcome", "others", "model", "model_problem", "attempt", "stopped_early")
    objective = None if math.isnan(one.objective) else one.objective
    reason = one.reason if one.outcome in ("failed", "finished") else ""  # the search keeps those that count
    return {**{name: getattr(one, name) for name in fields}, "objective": objective, "reason": reason}
