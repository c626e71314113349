"""Sweeps and contests logged by hand, on a real tracking store: what the engine would have left there.

Apart from the tests, because processes of their own (rivals, and those that are killed) need them too. A
replicate's loss is its learning rate plus noise of its seed, so that a test knows which condition is better.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mlflow import MlflowClient

from rothamsted import tags
from rothamsted.promotion.judge.policy import Policy
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.spec import Sweep, from_resolved, resolved
from rothamsted.tracking import Recorder, find_runs, open_recorder

START_MS = 1_700_000_000_000
CODE, DATA, COMMIT = "c0de" * 16, "da7a" * 16, "c033" * 10
COMMON_SD, OWN_SD = 0.02, 0.002  # noise that a seed gives to all conditions, and to each one for itself
SEARCH_SEEDS, CONFIRM_SEEDS = (0, 1, 2), tuple(range(100, 105))
POLICY: dict[str, Any] = {
    "model": "toy",
    "study": "toy",
    "objective": {"metric": "val_loss", "direction": "minimize"},
    "replicates": 5,
}


def policy(**changes: Any) -> Policy:
    """The policy of the toy, with keys replaced."""
    return Policy.model_validate({**POLICY, **changes})


def loss(lr: float, seed: int) -> float:
    """The validation loss of a condition at a seed."""
    common = np.random.default_rng(seed).normal(0.0, COMMON_SD)
    own = np.random.default_rng([seed, round(lr * 1e6)]).normal(0.0, OWN_SD)
    return float(lr + common + own)


def log_sweep(
    uri: str,
    name: str,
    rates: Sequence[float] = (0.1,),
    *,
    seeds: Sequence[int] = CONFIRM_SEEDS,
    metric: str = "val_loss",
    study: str = "toy",
    reduce: str = "last",
    code: str = CODE,
    data: str = DATA,
    has_models: bool = True,
    outcomes: Mapping[int, str] | None = None,
    left_out: Sequence[int] = (),
    has_results: bool = True,
    search_seeds: Sequence[int] = SEARCH_SEEDS,
    vary: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> str:
    """Log a finished sweep with one confirmed condition a rate, the first one the search's best; returns its run.

    Args:
        uri: Tracking store.
        name: Of the sweep.
        rates: Learning rates that were confirmed.
        seeds: Of the confirmation.
        metric: Of the objective.
        study: Entry point.
        reduce: How the curve became one number.
        code: Digest of the study's code.
        data: Digest of its data.
        has_models: Whether the confirmed replicates have a logged model.
        outcomes: Seed -> outcome, where it is not finished.
        left_out: Seeds whose replicates have not been run.
        has_results: Whether the sweep wrote down its results when it ended.
        search_seeds: Of the search, of which the first condition has been run on each.
        vary: What its replicates vary; empty: the training seed.
        parameters: Fixed, beside the steps.
    """
    sweep = _sweep(name, study, rates, metric=metric, reduce=reduce, search_seeds=search_seeds, seeds=seeds)
    sweep = from_resolved(
        {
            **resolved(sweep),
            "parameters": {**sweep.parameters, **(parameters or {})},
            "replicates": {**resolved(sweep)["replicates"], **({"vary": list(vary)} if vary else {})},
        }
    )
    rows = ["trial,replicate,seed,outcome,objective,run_id"]
    client = MlflowClient(uri)
    with open_recorder(uri) as recorder:
        of_sweep = {tags.ROLE: "sweep", "mlflow.source.git.commit": COMMIT, "rothamsted.data_digest": data}
        sweep_run = _open(recorder, name, {tags.SWEEP: name, tags.CODE_DIGEST: code, **of_sweep}, {"study": study})
        _log_search(recorder, name, sweep_run, rates[0], search_seeds, metric)
        for number, rate in enumerate(rates):
            trial_tags = {tags.SWEEP: name, tags.TRIAL: str(number), tags.ROLE: "trial"}
            trial = _open(recorder, "confirm", {**trial_tags, tags.PHASE: "confirm"}, {"lr": rate}, sweep_run, number)
            recorder.end_run(trial, RunStatus.FINISHED, START_MS + 9_000)
            for replicate, seed in enumerate(seeds):
                if seed in left_out:
                    continue
                outcome = (outcomes or {}).get(seed, "finished")
                own = {**trial_tags, tags.PHASE: "confirm", tags.ROLE: "replicate", tags.REPLICATE: str(replicate)}
                run_id = log_replicate(recorder, {**own, tags.CODE_DIGEST: code}, trial, rate, seed, outcome, metric)
                if has_models and outcome == "finished":
                    recorder.flush()
                    log_model(client, run_id)
                value = repr(loss(rate, seed)) if outcome == "finished" else ""
                rows.append(f"{number},{replicate},{seed},{outcome},{value},{run_id}")
        recorder.end_run(sweep_run, RunStatus.FINISHED, START_MS + 10_000)
        recorder.flush()
        recorder.log_text(sweep_run, json.dumps(resolved(sweep)), "sweep/resolved.json")
        if has_results:
            recorder.log_text(sweep_run, "\n".join(rows) + "\n", "statistics/confirmed_replicates.csv")
    return sweep_run


def _sweep(
    name: str,
    study: str,
    rates: Sequence[float],
    *,
    metric: str,
    reduce: str,
    search_seeds: Sequence[int],
    seeds: Sequence[int],
) -> Sweep:
    document = {
        "name": name,
        "study": study,
        "parameters": {"steps": 20},
        "space": {"lr": [*rates, 9.0]},
        "objective": {"metric": metric, "direction": "minimize", "reduce": reduce},
        "sampler": {"name": "grid"},
        "replicates": {"count": len(search_seeds), "seeds": list(search_seeds)},
        "confirm": {"keep": len(rates), "replicates": len(seeds), "seeds": list(seeds)},
    }
    return from_resolved(document)


def _log_search(
    recorder: Recorder, name: str, sweep_run: str, rate: float, search_seeds: Sequence[int], metric: str
) -> None:
    """The first condition on the seeds of the search."""
    searched = {tags.SWEEP: name, tags.TRIAL: "0", tags.PHASE: "search"}
    trial = _open(recorder, "trial 0", {**searched, tags.ROLE: "trial"}, {"lr": rate}, sweep_run)
    for replicate, seed in enumerate(search_seeds):
        own = {**searched, tags.ROLE: "replicate", tags.REPLICATE: str(replicate)}
        log_replicate(recorder, own, trial, rate, seed, "finished", metric)


def log_replicate(
    recorder: Recorder, run_tags: Mapping[str, str], parent: str, rate: float, seed: int, outcome: str, metric: str
) -> str:
    """Log one replicate with a curve of two points and its objective; returns its run."""
    own = {tags.SEED: str(seed), tags.OUTCOME: outcome}
    run_id = _open(recorder, "replicate", {**run_tags, **own}, {"lr": rate, "seed": seed}, parent)
    value = loss(rate, seed)
    points = [MetricPoint(metric, 1.0, START_MS + 1, 10), MetricPoint("val_accuracy", 0.9, START_MS + 1, 20)]
    if outcome == "finished":
        points += [MetricPoint(metric, value, START_MS + 2, 20), MetricPoint("objective", value, START_MS + 2, 20)]
    recorder.log(run_id, metrics=points)
    status = RunStatus.FAILED if outcome == "failed" else RunStatus.FINISHED
    recorder.end_run(run_id, status, START_MS + 1_000)
    return run_id


def log_model(client: MlflowClient, run_id: str) -> None:
    """Log the entry of a model with a run; nothing in promotion opens its files."""
    model = client.create_logged_model(client.get_run(run_id).info.experiment_id, name="model", source_run_id=run_id)
    client.finalize_logged_model(model.model_id, "READY")
    client.set_tag(run_id, tags.MODEL, f"models:/{model.model_id}")


@dataclass(kw_only=True)
class ByHand:
    """A contest that logs its replicates at once. Under one name it finds what it has logged before."""

    uri: str
    held: list[dict[str, Any]] = field(default_factory=list)  # what it was asked, call by call

    def __call__(
        self,
        *,
        name: str,
        study: str,
        contestants: Sequence[Mapping[str, Any]],
        labels: Sequence[str],
        seeds: Sequence[int],
        objective: Any,
        storage: str,
        experiment_id: str,
        vary: Sequence[str] = (),
    ) -> list[list[str]]:
        asked = {
            "vary": vary,
            "name": name,
            "study": study,
            "contestants": [dict(one) for one in contestants],
            "seeds": list(seeds),
        }
        self.held.append(asked | {"labels": list(labels), "storage": storage, "experiment_id": experiment_id})
        there = {
            (run.tags["contestant"], run.tags[tags.SEED]): run.run_id
            for run in find_runs(None, {"contest": name}, uri=self.uri)
        }
        with open_recorder(self.uri) as recorder:
            return [
                [
                    there.get((str(number), str(seed)))
                    or log_replicate(
                        recorder,
                        {"contest": name, "contestant": str(number), tags.PHASE: "duel"},
                        "0" * 32,
                        config["lr"],
                        seed,
                        "finished",
                        objective.metric,
                    )
                    for seed in seeds
                ]
                for number, config in enumerate(contestants)
            ]


def _open(
    recorder: Recorder,
    name: str,
    run_tags: Mapping[str, str],
    params: Mapping[str, Any],
    parent: str | None = None,
    after_ms: int = 0,
) -> str:
    return recorder.open_run(
        experiment_id="0", name=name, parent_id=parent, tags=run_tags, params=params, start_ms=START_MS + after_ms
    )
