"""Read what the sampler of a sweep learns from an earlier sweep, as its file asks.

It reads conditions, their means, and the values of constraints.
"""

from __future__ import annotations

from rothamsted.analysis.ranking import means_of
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.values import Dataset
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.search import Known, count_usable, find_search
from rothamsted.spec import Sweep, from_resolved
from rothamsted.sweeping.opened import queue_of
from rothamsted.sweeping.scores import NO_NUMBER
from rothamsted.sweeping.stage import first_stage


def known_from(sweep: Sweep) -> list[Known] | None:
    """Return the finished conditions of the earlier sweep; None if the file names none.

    Raises:
        StoreError: there is no such sweep, it optimised something else, or none of its finished conditions lies in the
            space.
    """
    if sweep.warm_start is None:
        return None
    name, storage = sweep.warm_start.sweep, sweep.warm_start.storage or sweep.storage
    record = find_search(storage, name)
    if record is None:
        raise StoreError(
            f"warm_start: there is no sweep called '{name}' in {masked(storage)}; name one that was run there"
        )
    earlier = first_stage(from_resolved({**record.spec, "storage": storage}))
    wanted = [(o.metric, o.direction, o.expression) for o in sweep.objectives]
    if wanted != [(o.metric, o.direction, o.expression) for o in earlier.objectives]:
        what = ", ".join(f"{o.direction} {o.expression or o.metric}" for o in earlier.objectives)
        raise StoreError(f"warm_start: sweep '{name}' has another objective ({what}); name one with the same")
    is_constrained = sweep.constraints == earlier.constraints
    known = _known(read_search(queue_of(earlier), earlier), is_constrained=is_constrained)
    if not known:
        raise StoreError(f"warm_start: sweep '{name}' has no condition with a score yet; run it first")
    if not count_usable(known, sweep.search_space, sweep.sampler.name, len(sweep.objectives)):
        raise StoreError(
            f"warm_start: none of the {len(known)} conditions of sweep '{name}' lies in this sweep's space, with these "
            "parameters within these bounds; name another sweep, or remove warm_start"
        )
    return known


def _known(found: Dataset, *, is_constrained: bool) -> list[Known]:
    """The conditions with means of all objectives; a pruned or diverged one is left out."""
    conditions = {condition.number: condition for condition in found.conditions}
    known = []
    for number, means in means_of(found).items():
        amounts = [min(amount, NO_NUMBER) for _, amount in conditions[number].violations if is_constrained]
        known.append(Known(condition=conditions[number].values, values=means, constraints=tuple(amounts)))
    return known
