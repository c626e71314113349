"""Find the replicates of a sweep that are not up to date in Weights & Biases."""

from __future__ import annotations

from dataclasses import dataclass

from rothamsted import tags, tracking
from rothamsted.mirroring.record import is_to_be_mirrored
from rothamsted.tracking import FoundRun


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Names what is to be mirrored.

    Attributes:
        runs: of replicates that have ended, oldest first.
        above: run id -> any run of the sweep, among them those of conditions.
    """

    runs: list[FoundRun]
    above: dict[str, FoundRun]


def find_missing(experiment_id: str, sweep: str, place: str, *, uri: str) -> Missing:
    """Look at the record.

    Args:
        experiment_id: of the sweep's runs.
        sweep: its name.
        place: entity and project, see `record.fingerprint`.
        uri: of the tracking store.

    Raises:
        StoreError: it cannot be read.
    """
    found = tracking.find_runs([experiment_id], {tags.SWEEP: sweep}, uri=uri)
    return Missing(
        runs=[run for run in found if is_to_be_mirrored(run, place)], above={run.run_id: run for run in found}
    )
