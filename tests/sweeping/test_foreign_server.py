"""A stranger's project swept through a tracking server: all that is read and written goes by HTTP."""

from __future__ import annotations

import shutil

import pytest

from rothamsted import tags
from rothamsted.tracking import find_runs, read_text
from tests.sweeping.strangers import PROJECTS, Home
from tests.tracking.conftest import server_uri, sqlite_template

__all__ = ["server_uri", "sqlite_template"]


@pytest.mark.slow
def test_a_stranger_is_swept_and_pruned_through_a_server(
    home: Home, server_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_uri)
    shutil.copytree(PROJECTS / "stranger", home.root / "stranger", ignore=shutil.ignore_patterns("__pycache__"))
    home.run(
        {
            "project": "stranger",
            "space": {"lr": [0.01, 0.5]},
            "parameters": {"pause": 0.2},
            "replicates": {"count": 1},
            "pruner": {"name": "threshold", "upper": 0.9, "warmup_steps": 2},
            "execution": {"warm_pool": True},
        }
    )
    runs = {run.params["lr"]: run for run in find_runs(None, {tags.ROLE: "trial"}, uri=server_uri)}
    good, bad = runs["0.5"], runs["0.01"]
    # train.py of the stranger: (1 - lr) ** 19, and noise between 0 and 0.01; 0.99 ** 2 is more than 0.9.
    assert (good.status, 0.5**19 <= good.metrics["objective"] <= 0.5**19 + 0.01) == ("FINISHED", True)
    assert (bad.status, bad.tags[tags.OUTCOME]) == ("KILLED", "pruned")
    assert bad.tags[tags.PRUNED_BECAUSE].startswith("at step 2 by pruner threshold: val_loss 0.98")
    assert read_text(good.run_id, "output.txt", uri=server_uri) is not None
