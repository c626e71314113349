"""Keep trials of earlier searches as one attribute of this search, for its sampler (warm start).

They are not trials of the queue: they are not counted, not claimed and not judged by a pruner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from rothamsted.errors import StoreError
from rothamsted.search import distributions as dist
from rothamsted.search.ask import frozen_known
from rothamsted.search.samplers import SearchSampler, sampler_named
from rothamsted.search.sql.ended import CONSTRAINTS, STATES
from rothamsted.search.told import Known
from rothamsted.space import Space, SpaceError, own_values

KNOWN = "rothamsted:known"  # Optuna, of the sweep: what its sampler knew before the first trial


def to_keep(known: Sequence[Known], space: Space, sampler: SearchSampler, n_objectives: int) -> list[dict[str, Any]]:
    """Return the trials with a condition in the space, as JSON to keep.

    Raises:
        StoreError: the sampler is a design, the objectives differ in number, or too few are left to start from.
    """
    if sampler.adaptive is None:
        raise StoreError("warm start: this sampler does not look at results; name an adaptive one, such as tpe")
    kept = [
        {
            "condition": own_values(one.condition, space.domains),
            "values": list(one.values),
            "constraints": list(one.constraints),
            "state": one.state,
        }
        for one in known
        if _is_inside(one.condition, space) and not any(map(math.isnan, (*one.values, *one.constraints)))
    ]
    complete = [one for one in kept if one["state"] == "complete"]
    for one in complete:
        if len(one["values"]) != n_objectives:
            raise StoreError(
                f"warm start: trials of the earlier sweep have {len(one['values'])} objectives, those of this one "
                f"{n_objectives}; name a sweep with the same objectives"
            )
    if kept and len(complete) < sampler.min_known:
        raise StoreError(
            f"warm start: this sampler needs {sampler.min_known} complete trials of the earlier sweep inside the "
            f"space, which holds {len(complete)} of {len(known)}; name another sampler, such as tpe"
        )
    return kept


def count_usable(known: Sequence[Known], space: Space, sampler: str, n_objectives: int) -> int:
    """Return how many of them a search over this space would take.

    Raises:
        StoreError: as `to_keep`.
    """
    return len(to_keep(known, space, sampler_named(sampler), n_objectives))


def to_frozen(kept: Sequence[Mapping[str, Any]], space: Space, sampler: SearchSampler) -> list[FrozenTrial]:
    """Return the kept trials as the sampler sees them: trials 0, 1, ... before those of the search."""
    distributions = dist.distributions_of(space)
    return [
        frozen_known(
            {
                name: dist.to_stored(value, space.domains[name], distributions[name])
                for name, value in one["condition"].items()
            },
            distributions,
            number=number,
            state=STATES[one["state"]],
            values=one["values"],
            system_attributes={
                **sampler.known_attributes,
                **({CONSTRAINTS: one["constraints"]} if one["constraints"] else {}),
            },
        )
        for number, one in enumerate(kept)
    ]


def _is_inside(condition: Mapping[str, Any], space: Space) -> bool:
    try:
        space.check(condition)
    except SpaceError:
        return False
    return True
