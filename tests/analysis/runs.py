"""Runs logged by hand, as a stranger would, with MLflow's own client; and datasets without any store."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.entities import Metric

from rothamsted.analysis.typed import factors_of, label
from rothamsted.analysis.values import Condition, Dataset, Objective, Replicate

LOSS = Objective(metric="loss", direction="minimize")
START_MS = 1_700_000_000_000
_order = itertools.count()  # a run starts a minute after the one before it


def log_run(
    uri: str,
    params: Mapping[str, Any],
    curve: Sequence[float] = (),
    *,
    experiment: str = "strangers",
    status: str = "FINISHED",
    metric: str = "loss",
    tags: Mapping[str, str] | None = None,
    more: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """One run with a curve at steps 1, 2, ...; a second passes between two of them."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    experiment_id = found.experiment_id if found else client.create_experiment(experiment)
    start_ms = START_MS + 60_000 * next(_order)
    run_id = client.create_run(experiment_id, start_time=start_ms, tags=dict(tags or {})).info.run_id
    for key, value in params.items():
        client.log_param(run_id, key, value)
    points = [
        Metric(name, value, start_ms + 1000 * step, step)
        for name, values in {metric: curve, **(more or {})}.items()
        for step, value in enumerate(values, start=1)
    ]
    client.log_batch(run_id, metrics=points)
    if status != "RUNNING":
        client.set_terminated(run_id, status=status, end_time=start_ms + 10_000)
    return run_id


def dataset(
    values: Mapping[int, Sequence[float]],
    *,
    direction: str = "minimize",
    outcomes: Mapping[tuple[int, int], str] | None = None,
    factors: Mapping[int, Mapping[str, Any]] | None = None,
    confirm: Mapping[int, Sequence[float]] | None = None,
    has_seeds: bool = True,
    others: Mapping[str, tuple[Literal["minimize", "maximize"], Mapping[int, Sequence[float]]]] | None = None,
    **of_conditions: Mapping[int, Any],
) -> Dataset:
    """A dataset of final values: condition -> value by seed; an outcome where one did not finish.

    `others` has further objectives: name -> direction, values like the first's. More fields of conditions by number.
    """
    further = others or {}
    ended = outcomes or {}
    conditions = []
    for number in values:
        own = (factors or {}).get(number, {"x": number})
        more = {name: by_number[number] for name, by_number in of_conditions.items() if number in by_number}
        conditions.append(Condition(number=number, values=own, label=label(own), run_id=f"trial{number}", **more))
    replicates = [
        Replicate(
            run_id=f"{phase}-{number}-{seed}",
            condition=number,
            seed=str(seed + (100 if phase == "confirm" else 0)) if has_seeds else "",
            outcome=ended.get((number, seed), "finished") if phase == "search" else "finished",
            objective=value if phase == "confirm" or (number, seed) not in ended else math.nan,
            seconds=1.0,
            phase=phase,
            metrics={"loss": value},
            others=tuple(of_one[number][seed] for _, of_one in further.values())
            if phase == "search" and (number, seed) not in ended
            else (),
        )
        for phase, of_phase in (("search", values), ("confirm", confirm or {}))
        for number, row in of_phase.items()
        for seed, value in enumerate(row)
    ]
    return Dataset(
        name="by hand",
        kind="sweep",
        objective=Objective(metric="loss", direction="minimize" if direction == "minimize" else "maximize"),
        factors=tuple(factors_of(conditions)),
        conditions=tuple(conditions),
        replicates=tuple(replicates),
        others=tuple(Objective(metric=name, direction=way) for name, (way, _) in further.items()),
    )
