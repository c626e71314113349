"""Evidence and policies to decide about, with numbers that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.verdict import decide
from rothamsted.promotion.types import Evidence, EvidenceRun, Verdict

Numbers = Sequence[float] | np.ndarray


def policy(**changed: Any) -> Policy:
    """A policy that compares val_loss over three or more replicates, once, by Student's paired t, changed."""
    keys = {
        "model": "toy",
        "study": "toy",
        "objective": {"metric": "val_loss", "direction": "minimize"},
        "replicates": 3,
        "looks": 1,
        "test": "paired_t",
    }
    return Policy.model_validate(keys | changed)


def evidence(
    label: str,
    values: Numbers,
    *,
    outcomes: Mapping[int, str] | None = None,
    metrics: Mapping[str, Sequence[float]] | None = None,
    seeds: Sequence[int] | None = None,
    **changed: Any,
) -> Evidence:
    """Evidence of one run a value.

    Args:
        label: of the model; its configuration is named after it too.
        values: objectives, in the order of the seeds.
        outcomes: number of a run -> its outcome, where it is not finished.
        metrics: name -> final values, one a run.
        seeds: of the runs; 0, 1, 2, … by default.
        changed: other fields of the evidence.
    """
    seeds = range(len(values)) if seeds is None else seeds
    runs = tuple(
        EvidenceRun(
            run_id=f"{label}-{seed}",
            seed=str(seed),
            objective=float(value),
            outcome=(outcomes or {}).get(index, "finished"),
            metrics={name: float(column[index]) for name, column in (metrics or {}).items()},
        )
        for index, (seed, value) in enumerate(zip(seeds, values, strict=True))
    )
    fields: dict[str, Any] = {
        "label": label,
        "config": {"model": label},
        "study": "toy",
        "runs": runs,
        "sweep": "toy-sweep",
        "sweep_run_id": "sweep-run",
        "commit": "",
        "code_digest": "code",
        "data_digest": "data",
        "metric": "val_loss",
    }
    return Evidence(**(fields | changed))


# Worked by hand: improvements 0.1, 0.2, 0.3 have mean 0.2, sd 0.1, so t = 0.2 / (0.1 / sqrt(3)) = 3.464102; with two
# degrees of freedom the one-sided p is (1 - t / sqrt(2 + t^2)) / 2 = 0.037090; t(0.95, df 2) = 2.919986, so that the
# one-sided limits are 0.2 -+ 2.919986 * 0.1 / sqrt(3) = 0.031415 and 0.368585.
CHAMPION = (1.0, 2.0, 3.0)
CHALLENGER = (0.9, 1.8, 2.7)
LOW, HIGH, P_VALUE = 0.031415, 0.368585, 0.037090


def verdict_on(
    challenger: Numbers | Evidence,
    champion: Numbers | Evidence | None = CHAMPION,
    *,
    is_paired: bool = True,
    **changed: Any,
) -> Verdict:
    """The verdict on one challenger, given as evidence or by its objectives, under a policy with these keys changed."""
    if not isinstance(challenger, Evidence):
        challenger = evidence("new", challenger)
    if champion is not None and not isinstance(champion, Evidence):
        champion = evidence("old", champion, version="3")
    return decide([challenger], champion, policy(**changed), is_paired=is_paired)[0]
