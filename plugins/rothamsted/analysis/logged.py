"""Which metrics have been logged, and what is said of one that has not: nothing here takes long to import."""

from __future__ import annotations

from collections.abc import Collection

from rothamsted.errors import StoreError
from rothamsted.tracking.sql.named import logged_metrics

SECONDS, EPOCH, SAMPLES = "seconds", "epoch", "samples_seen"  # metrics that are axes
BOOKKEEPING = frozenset({SECONDS, EPOCH, SAMPLES, "objective"})  # metrics that are no result


def refuse_unknown_metrics(wanted: Collection[str], sweep: str, *, uri: str) -> None:
    """Refuse a metric that a SQLite file of MLflow's is known not to have of a sweep, as `read_sweep` does.

    What may be arithmetic on metrics is left to who reads the sweep.
    """
    logged = (logged_metrics(uri, sweep) if wanted else None) or {}
    of_replicates = [name for name, is_of_replicate in logged.items() if is_of_replicate]
    missing = [name for name in wanted if name.isidentifier() and name not in logged]
    check_metrics(missing, of_replicates, f"sweep {sweep}")


def check_metrics(wanted: Collection[str], known: Collection[str], place: str) -> None:
    """Refuse a metric that no replicate has logged.

    Raises:
        StoreError: with the metrics that exist; nothing is refused where there is none at all.
    """
    results = sorted(set(known) - BOOKKEEPING)
    for name in wanted:
        if known and name not in known:
            raise StoreError(f"{place}: no replicate has the metric '{name}'; logged: {', '.join(results)}")
