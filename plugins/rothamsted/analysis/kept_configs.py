"""Read the configs that the runs of replicates keep: config.json, with every field as it was trained."""

from __future__ import annotations

from rothamsted import tracking
from rothamsted.analysis.values import Dataset
from rothamsted.studies import CONFIG_FILE


def kept_configs(dataset: Dataset, *, uri: str) -> dict[str, str]:
    """Return the config of each run that has one, as the text of its file.

    Args:
        dataset: The dataset of the replicates.
        uri: Tracking URI.
    """
    found = {
        one.run_id: tracking.read_text(one.run_id, CONFIG_FILE, uri=uri) for one in dataset.replicates if one.run_id
    }
    return {run_id: text for run_id, text in found.items() if text is not None}
