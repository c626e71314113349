"""Turn a replicate's run in the record into plain values for Weights & Biases."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import OBJECTIVE
from rothamsted.analysis.points import CURVE, SPREAD
from rothamsted.masking import masked
from rothamsted.records import MetricPoint, Outcome, RunStatus
from rothamsted.tracking import FoundRun

OURS = "rothamsted"  # key of the config: which replicate it is; `importing.wandb` knows it
ENDED = frozenset({Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED, Outcome.PRUNED})
EXIT_CODES = {RunStatus.FINISHED: 0, RunStatus.FAILED: 1, RunStatus.KILLED: 255}  # 255: W&B shows the run as killed
_MOST_OF_TAG = 64  # characters that W&B takes
_MOST_OF_NAME = 128
_REASONS = (tags.REASON, tags.STOPPED_EARLY, tags.PRUNED_BECAUSE)
_FACTS = {  # in the config, below `rothamsted`
    "sweep": tags.SWEEP,
    "trial": tags.TRIAL,
    "replicate": tags.REPLICATE,
    "seed": tags.SEED,
    "phase": tags.PHASE,
    "attempt": tags.ATTEMPT,
}


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """Holds what a replicate measured at one step.

    Attributes:
        step: the study's own.
        seconds: when, since 1970, UTC.
        values: metric -> value, in the study's own names; NaN and infinity stay what they are.
    """

    step: int
    seconds: float
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class MirroredRun:
    """Holds one replicate, ready to be written.

    Attributes:
        run_id: of the run in MLflow, and of that in W&B: written twice it is one run.
        name: the condition and the seed, as MLflow shows them in two levels.
        job_type: the phase of the sweep.
        config: nested as the study has it, with the place in the sweep below `rothamsted`.
        tags: at most 64 characters each.
        notes: how it ended, if there is something to say; empty otherwise.
        rows: by step.
        summary: what W&B does not make from the rows.
        exit_code: 0 finished (or diverged), 1 failed, 255 pruned.
    """

    run_id: str
    name: str
    job_type: str
    config: Mapping[str, Any]
    tags: Sequence[str]
    notes: str
    rows: Sequence[HistoryRow]
    summary: Mapping[str, Any]
    exit_code: int


def is_to_be_mirrored(run: FoundRun, target: str) -> bool:
    """Say whether a run is a replicate that has ended for good, and is not in W&B as it is now.

    Args:
        run: of the record.
        target: the entity and project where it belongs.
    """
    if tags.REPLICATE not in run.tags or run.tags.get(tags.OUTCOME) not in ENDED or run.status not in EXIT_CODES:
        return False
    return run.tags.get(tags.MIRRORED, "").rpartition("#")[2] != fingerprint(run, target)


def place_of(entity: str | None, project: str) -> str:
    """Return entity and project as `fingerprint` takes them."""
    return f"{entity or ''}/{project}"


def fingerprint(run: FoundRun, target: str) -> str:
    """Return what decides whether a run is mirrored again: how it ended, with which number, and where it belongs."""
    number = {key: value for key, value in run.metrics.items() if _is_objective(key)}
    what = [target, run.status, run.tags.get(tags.OUTCOME), sorted(number.items())]
    return hashlib.sha256(repr(what).encode()).hexdigest()[:8]


def mirrored_run(
    run: FoundRun, above: FoundRun | None, points: Sequence[MetricPoint], config: str | None, *, link: str
) -> MirroredRun:
    """Return what W&B is given of a replicate.

    Args:
        run: its run, which has ended.
        above: the run of its condition; None where it is the only replicate and the same run.
        points: all that it has logged.
        config: the artifact config.json of a study of ours; None: the params of the run are its config.
        link: to its page in MLflow.
    """
    is_lone = run.tags.get(tags.ROLE) == "trial"
    own = [point for point in points if not (is_lone and _is_over_replicates(point.key, run.metrics))]
    outcome, phase = run.tags[tags.OUTCOME], run.tags.get(tags.PHASE, "search")
    reason = masked(next((run.tags[tag] for tag in _REASONS if run.tags.get(tag)), ""))
    name = run.name if above is None or is_lone else f"{above.name}, {run.name}"
    shown = [phase, outcome, (above or run).tags.get("mlflow.source.name", "")]
    facts = {name: _plain(run.tags[tag]) for name, tag in _FACTS.items() if tag in run.tags}
    facts["started"] = datetime.fromtimestamp(run.start_ms / 1000, UTC).isoformat(timespec="seconds")
    return MirroredRun(
        run_id=run.run_id,
        name=masked(name)[:_MOST_OF_NAME],
        job_type=phase,
        config={**_config(run, config), OURS: {**facts, "mlflow_run_id": run.run_id, "mlflow_link": link}},
        tags=list(dict.fromkeys(masked(one)[:_MOST_OF_TAG] for one in shown if one)),
        notes=reason,
        rows=rows_of(own),
        summary={"outcome": outcome, **({"reason": reason} if reason else {})},
        exit_code=EXIT_CODES[RunStatus(run.status)],
    )


def rows_of(points: Sequence[MetricPoint]) -> list[HistoryRow]:
    """Return points as rows by step; of a metric that a step has twice, the later one counts, as in MLflow."""
    found: dict[int, dict[str, MetricPoint]] = {}
    for point in sorted(points, key=lambda one: (one.step, one.timestamp_ms)):
        found.setdefault(point.step, {})[point.key] = point
    return [
        HistoryRow(
            step=step,
            seconds=min(point.timestamp_ms for point in of_step.values()) / 1000,
            values={key: point.value for key, point in of_step.items()},
        )
        for step, of_step in found.items()
    ]


def _config(run: FoundRun, text: str | None) -> dict[str, Any]:
    if text is not None:
        found = json.loads(text)
        return _without_secrets(found) if isinstance(found, dict) else {}
    return _without_secrets(nested({key: _plain(value) for key, value in run.params.items()}))


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Nest dotted names as mappings within each other; a name that is also the beginning of another stays dotted.

    Example:
        >>> nested({"optimizer.lr": 0.1, "seed": 3})
        {'optimizer': {'lr': 0.1}, 'seed': 3}
    """
    whole: dict[str, Any] = {}
    for name, value in flat.items():
        *above, last = name.split(".")
        is_taken = any(
            other != name and (f"{other}.".startswith(f"{name}.") or name.startswith(f"{other}.")) for other in flat
        )
        if is_taken or not all([*above, last]):
            whole[name] = value
            continue
        place = whole
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return whole


def _plain(text: str) -> Any:
    """A param as the value that it was: numbers, truth values, lists; other text as it is."""
    try:
        value = json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except ValueError:
        return text
    is_huge = isinstance(value, float) and not math.isfinite(value)
    return text if is_huge else value


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _without_secrets(one) for key, one in value.items()}
    return [_without_secrets(one) for one in value] if isinstance(value, list) else value


def _is_objective(key: str) -> bool:
    return key == OBJECTIVE or key.startswith(f"{OBJECTIVE}.")


def _is_over_replicates(key: str, metrics: Mapping[str, float]) -> bool:
    """Whether a metric of a condition's run summarizes another one over replicates."""
    of, _, statistic = key.rpartition("/")
    return bool(of) and of in metrics and statistic in (*CURVE, *SPREAD)
