"""Check that metrics have been logged, without slow imports."""

from __future__ import annotations

from collections.abc import Collection

from rothamsted.errors import StoreError
from rothamsted.tracking.sql.named import logged_metrics

SECONDS, EPOCH, SAMPLES = "seconds", "epoch", "samples_seen"  # metrics that are axes
BOOKKEEPING = frozenset({SECONDS, EPOCH, SAMPLES, "objective"})  # metrics that are no result


def refuse_unknown_metrics(wanted: Collection[str], sweep: str, *, uri: str) -> None:
    """Raise the error of `read_sweep` early, if MLflow's SQLite file has no such metric of a sweep.

    A name that may be arithmetic on metrics is not checked here.
    """
    logged = (logged_metrics(uri, sweep) if wanted else None) or {}
    of_replicates = [name for name, is_of_replicate in logged.items() if is_of_replicate]
    missing = [name for name in wanted if name.isidentifier() and name not in logged]
    check_metrics(missing, of_replicates, f"sweep {sweep}")


def check_metrics(wanted: Collection[str], known: Collection[str], place: str) -> None:
    """Refuse a metric that no replicate has logged.

    Raises:
        StoreError: names the metrics that exist. If no metric at all is logged, nothing is refused.
    """
    results = sorted(set(known) - BOOKKEEPING)
    for name in wanted:
        if known and name not in known:
            raise StoreError(f"{place}: no replicate has the metric '{name}'; logged: {', '.join(results)}")
