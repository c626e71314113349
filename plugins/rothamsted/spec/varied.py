"""Check what changes between the replicates of a condition: only the training seed, or other numbers of the config too.

How numbers become fields is in `run_sections.Replicates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rothamsted.catalog import INTERVALS
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.field_types import takes_whole_numbers
from rothamsted.spec.schema import Sweep
from rothamsted.spec.target import Target

PATH = ("replicates", "vary")


def check_varied(sweep: Sweep, document: Document) -> None:
    """Check what varies against the rest of the sweep.

    Raises:
        SpecError: names the key that is easiest to change.
    """
    for number, stage in enumerate(sweep.stages):
        if stage.replicates is not None and stage.replicates.vary is not None:
            reason = "every stage varies what the sweep's own replicates say; remove it"
            raise document.error(("stages", number, "replicates", "vary"), reason)
    varied = sweep.replicates.vary
    if varied is None:
        return
    _check_seed(sweep, tuple(varied), document)
    for path in _set_elsewhere(sweep, frozenset(varied)):
        reason = "is set by replicates.vary, to a new number for each replicate; remove one of the two"
        raise document.error(path, reason)
    if sweep.replicates.crossed:
        _check_crossed(sweep, document)


def check_varied_fields(sweep: Sweep, document: Document, target: Target) -> None:
    """Check that what varies are parameters of what is trained that take whole numbers.

    Raises:
        SpecError: a parameter is unknown, with the nearest ones, or has another type.
    """
    for name in sweep.replicates.vary or ():
        if not target.takes(name):
            raise document.error(PATH, f"{name!r} {target.refusal(name)}")
        # MLflow knows no whole numbers: what a foreign project calls a float may well be a seed.
        annotation: Any = None if target.is_open else target.parameters[name]
        if annotation is not None and not takes_whole_numbers(annotation):
            reason = f"{name!r} takes no whole numbers, and each replicate gives it one; list seeds, such as data.seed"
            raise document.error(PATH, reason)


def _check_seed(sweep: Sweep, varied: tuple[str, ...], document: Document) -> None:
    """The training seed is among them: held fixed, its variance would be in no interval."""
    if sweep.is_foreign and sweep.seed_parameter is None:
        reason = "needs seed_parameter, the parameter that takes the training seed; add it, as in seed_parameter: seed"
        raise document.error(PATH, reason)
    seed = sweep.seed_parameter if sweep.is_foreign else "seed"
    if seed not in varied:
        reason = f"lacks {seed}: with one training seed for all, its part of the variance is in no interval; add {seed}"
        raise document.error(PATH, reason)


def _check_crossed(sweep: Sweep, document: Document) -> None:
    """What rests on replicates that are independent one by one goes with a list only."""
    replicates, n = sweep.replicates, len(sweep.replicates.values)
    as_list = f"[{', '.join(replicates.crossed)}]"
    if replicates.seeds is not None:
        reason = "cannot be given with crossed replicates, whose numbers follow each other; give first_seed"
        raise document.error(("replicates", "seeds"), reason)
    if replicates.count is not None and replicates.count != n:
        reason = f"{replicates.count} replicates, but {n} combinations in vary; remove count"
        raise document.error(("replicates", "count"), reason)
    refused = {
        ("replicates", "racing"): replicates.racing is not None,
        ("pruner",): sweep.pruner is not None,
        ("stages",): bool(sweep.stages),
        ("statistics", "interval"): INTERVALS[sweep.statistics.interval].is_of_rows,
    }
    for path, is_given in refused.items():
        if is_given:
            reason = f"needs independent replicates, and crossed ones share numbers; remove it, or give vary: {as_list}"
            raise document.error(path, reason)


def _set_elsewhere(sweep: Sweep, varied: frozenset[str]) -> Iterator[KeyPath]:
    """Where the file itself sets a field that varies."""
    places: list[tuple[KeyPath, Any]] = [(("parameters",), sweep.parameters), (("space",), sweep.space)]
    places += [(("stages", number, "parameters"), stage.parameters) for number, stage in enumerate(sweep.stages)]
    for path, names in places:
        yield from ((*path, name) for name in names if name in varied)
