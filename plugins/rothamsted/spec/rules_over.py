"""Check that the keys of a sweep agree with `objective.over`, if it is not the mean."""

from __future__ import annotations

from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import Sweep

MEAN, IQM = "mean", "iqm"
LEAST_OF_IQM = 4  # replicates: fewer have no quarter to leave out


def check_over(sweep: Sweep, document: Document) -> None:
    """Check that everything that compares conditions can use the median, the interquartile mean or a quantile.

    Raises:
        SpecError: names the key that is easiest to change.
    """
    over, path = sweep.objective.over, _place(sweep)
    if all(one.over == MEAN for one in sweep.objectives):
        return
    if len(sweep.objectives) > 1:
        reason = "several objectives are compared by means; remove over, or give one objective"
        raise document.error(_place(sweep, next(n for n, o in enumerate(sweep.objectives) if o.over != MEAN)), reason)
    if sweep.replicates.racing is not None:
        reason = f"{over} cannot be given with replicates.racing, which races by means; give count: N, or over: mean"
        raise document.error(path, reason)
    if sweep.replicates.crossed:
        reason = f"{over} needs independent replicates, and replicates.vary crosses them; give a list, or over: mean"
        raise document.error(path, reason)
    if sweep.task is not None:
        reason = f"{over} cannot be given with task, which compares means over tasks; remove one of the two"
        raise document.error(path, reason)
    _check_counts(sweep, document)
    how = sweep.statistics
    for key, usual in (("interval", "t"), ("best", "leaders"), ("test", "auto"), ("correction", "holm")):
        if getattr(how, key) != usual:
            reason = f"{getattr(how, key)} is for means, and objective.over is {over}; remove it"
            raise document.error(("statistics", key), reason)
    if sweep.promote is not None:
        reason = f"compares means, and objective.over is {over}; remove promote, or give over: mean"
        raise document.error(("promote",), reason)
    if sweep.pruner is not None and over.startswith("quantile"):
        reason = (
            f"{sweep.pruner.name} compares trials with unequal numbers of replicates, and a quantile depends on that "
            "number; remove it, or give over: median"
        )
        raise document.error(("pruner",), reason)


def _check_counts(sweep: Sweep, document: Document) -> None:
    """An interquartile mean leaves out a quarter on each side: of fewer than four values that is none."""
    if sweep.objective.over != IQM:
        return
    counts: list[tuple[KeyPath, int]] = [(("replicates",), len(sweep.replicates.values))]
    counts += [(("stages", n, "replicates"), len(sweep.stage_seeds(n))) for n in range(1, len(sweep.stages))]
    counts += [(("confirm",), len(sweep.confirm_seeds))] if sweep.confirm is not None else []
    for path, n in counts:
        if n < LEAST_OF_IQM:
            reason = (
                f"an interquartile mean of {n} replicates leaves none out, so it is the mean; give {LEAST_OF_IQM} or "
                "more, or over: median"
            )
            raise document.error(path, reason)


def _place(sweep: Sweep, index: int = 0) -> KeyPath:
    return ("objective", "over") if len(sweep.objectives) == 1 else ("objective", index, "over")
