"""Take the values of another sweep's winner, for a sweep that fixes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rothamsted import tags
from rothamsted.analysis.analyze import QUICK, analyze, settings_of
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.values import Analysis
from rothamsted.errors import SpecError
from rothamsted.masking import masked
from rothamsted.metric import Metric
from rothamsted.search import SearchRecord, check_storage, find_search
from rothamsted.spec import Sweep, from_resolved
from rothamsted.sweeping.opened import confirm_queue_of, queue_of
from rothamsted.sweeping.stage import first_stage


def take_from(
    own: str, name: str, take: str, storage: str, *, metrics_of: Callable[[str], Mapping[str, Metric]]
) -> Mapping[str, Any]:
    """Return the values of a finished sweep's winner, its run, and the conditions that could not be ruled out.

    A sweep that has been started keeps the values that it took then.

    Args:
        own: name of the sweep that takes the values.
        name: name of the other sweep; of a sweep with stages the first.
        take: which condition: the confirmed winner, or the best of the search.
        storage: storage of both sweeps.
        metrics_of: function: study -> declarations of its metrics.

    Raises:
        SpecError: there is no such sweep, it is not finished, or it has no such winner.
    """
    check_storage(storage)
    before = find_search(storage, own)
    kept = before.spec.get("parameters_from") if before is not None else None
    if kept is not None and (kept["sweep"], kept["take"]) == (name, take):
        return {key: kept[key] for key in ("run_id", "values", "open_against") if key in kept}
    record = _last_stage(storage, name)
    sweep = first_stage(from_resolved({**record.spec, "storage": storage}))
    found = _analysis(sweep, metrics_of(sweep.study) if sweep.study is not None else {})
    number = _winner(sweep, found, take)
    labels = {condition.number: condition.label for condition in found.dataset.conditions}
    [values] = [dict(one.values) for one in found.dataset.conditions if one.number == number]
    open_ones = found.best.having("open") if found.best is not None else ()
    return {
        "run_id": str(record.attributes[tags.RUN_ID]),
        "values": values,
        "open_against": [labels[one] for one in open_ones if one != number],
    }


def _last_stage(storage: str, name: str) -> SearchRecord:
    record = find_search(storage, name)
    if record is None or tags.RUN_ID not in record.attributes or tags.CONFIRMATION_OF in record.attributes:
        raise SpecError(f"there is no sweep called '{name}' in {masked(storage)}; name one that was run there")
    following = record.attributes.get(tags.NEXT_STAGE)
    stages = record.spec.get("stages", [])
    if stages and following is None:
        raise SpecError(f"sweep '{name}' is not finished: its next stage has not begun; finish it first")
    return record if following is None else _last_stage(storage, following["name"])


def _analysis(sweep: Sweep, metrics: Mapping[str, Metric]) -> Analysis:
    has_confirmation = sweep.confirm is not None and find_search(sweep.storage, sweep.confirm_name) is not None
    confirmation = confirm_queue_of(sweep) if has_confirmation else None
    data = read_search(queue_of(sweep), sweep, confirmation=confirmation, metrics=metrics)
    if not data.is_complete:
        raise SpecError(f"sweep '{sweep.name}' is not finished; give its command again first")
    return analyze(data, settings_of(sweep.statistics), parts=QUICK)


def _winner(sweep: Sweep, found: Analysis, take: str) -> int:
    """Number of the condition that is taken: of several confirmed ones that which the search has chosen."""
    if not found.ranking:
        raise SpecError(f"sweep '{sweep.name}' has no condition with a score; run another first")
    if take == "best":
        return found.ranking[0]
    way = "or say take: best, the best of the search"
    if sweep.confirm is None:
        raise SpecError(f"sweep '{sweep.name}' confirms nothing; add confirm to it and give its command again, {way}")
    if not found.confirmed:
        raise SpecError(f"sweep '{sweep.name}' has not confirmed its winner yet; give its command again, {way}")
    if found.confirmed[0].confirmed is None:
        raise SpecError(f"the winner of sweep '{sweep.name}' has no mean on fresh seeds; {way}")
    return found.confirmed[0].condition
