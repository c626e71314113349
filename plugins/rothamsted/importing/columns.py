"""Decide what a column of a table or a key of a run is (param, metric, state, time, name) by its usual names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rothamsted.importing.flat import is_nothing, number_of
from rothamsted.records import RunStatus

IDS = ("run_id", "trial_id", "run", "id", "ID", "Run", "trial", "run_uuid", "number")
NAMES = ("name", "run_name", "Name", "display_name", "tags.mlflow.runName")
STATES = ("state", "status", "State", "Status")
STARTS = ("start_time", "Start Time", "started", "started_at", "created", "Created", "created_at", "datetime_start")
ENDS = ("end_time", "End Time", "ended", "ended_at", "finished_at", "datetime_complete", "completed_at")
# What a tool puts before the name of a param or metric in a table: MLflow, Optuna, Ray, W&B.
_OF_PARAMS = (
    "params.",
    "params_",
    "param.",
    "param_",
    "config.",
    "config/",
    "hparams.",
    "hparams/",
    "hp_",
    "hp/",
    "hp.",
)
_OF_METRICS = ("metrics.", "metrics_", "metrics/", "metric.", "metric_", "summary.", "summary/")
_OF_TAGS = ("tags.", "tags_", "user_attrs_", "system_attrs_")
_METRIC = re.compile(
    r"(^|[^a-z])(loss|losses|acc|accuracy|err|error|errors|score|scores|auc|auroc|f1|fbeta|rmse|mse|mae|mape|r2|nll|bpc|ppl|"
    r"perplexity|precision|recall|bleu|rouge|reward|rewards|return|returns|regret|likelihood|elbo|value|values|objective|"
    r"metric|result|iou|map|psnr|ssim|fid|dice|runtime|duration|seconds|elapsed|throughput|val|valid|validation|test)"
    r"([^a-z]|$)"
)
_SETTING = re.compile(
    r"^(n|num|use|max|min)_|weight|coef|fn|function|name|type|kind|scale|split|size|every|interval|freq|fraction|batch"
)
_WORDS = {
    RunStatus.FINISHED: ("finished", "complete", "completed", "success", "succeeded", "terminated", "done", "ok"),
    RunStatus.FAILED: ("failed", "fail", "error", "errored", "crashed", "crash", "failure"),
    RunStatus.KILLED: ("killed", "pruned", "cancelled", "canceled", "stopped", "aborted", "preempted", "interrupted"),
    RunStatus.RUNNING: ("running", "pending", "waiting", "queued", "scheduled", "paused"),
}


def state_of(text: Any, notes: list[str]) -> RunStatus:
    """Return the state that a tool's word means; FINISHED with a note if the word is unknown."""
    word = str(text).strip().lower().rpartition(".")[2]  # TrialState.COMPLETE
    for state, words in _WORDS.items():
        if word in words:
            return state
    notes.append(f"state '{str(text)[:40]}' is not known: taken as FINISHED")
    return RunStatus.FINISHED


def is_metric_name(name: str) -> bool:
    """Return whether a name looks like that of a measurement.

    Example:
        >>> is_metric_name("val_loss"), is_metric_name("testAccuracy"), is_metric_name("lr"), is_metric_name("classes")
        (True, True, False, False)
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _METRIC.search(spaced) is not None and not is_setting(spaced)


def is_setting(name: str) -> bool:
    """Return whether a name with a word of a measurement is still a setting: loss_weight, n_test, val_split."""
    return _SETTING.search(name) is not None


def role_of(name: str) -> tuple[str, str] | None:
    """Return what the prefix of a column says: ("param", "lr") for `params.lr`; None: no known prefix."""
    for role, starts in (("param", _OF_PARAMS), ("metric", _OF_METRICS), ("tag", _OF_TAGS)):
        for start in starts:
            if name.startswith(start) and len(name) > len(start):
                return role, name[len(start) :]
    return None


def first_of(names: Sequence[str], known: Iterable[str]) -> str | None:
    """Return the first of some names that is known."""
    there = set(known)
    return next((name for name in names if name in there), None)


def is_number_throughout(rows: Iterable[Mapping[str, Any]], name: str) -> bool:
    """Return whether a column has at least one number and nothing but numbers. Missing values are neither."""
    there = [number_of(row[name]) for row in rows if not is_nothing(row.get(name))]
    return bool(there) and all(number is not None for number in there)
