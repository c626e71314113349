"""Read the verdicts of promotions on a sweep: the JSON artifacts promotion/*.json of its run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rothamsted import tracking
from rothamsted.analysis.values import Promotion
from rothamsted.errors import StoreError
from rothamsted.statistics import Interval
from rothamsted.yaml_text import load_json

FOLDER = "promotion"


def read_promotions(run_id: str, *, uri: str) -> tuple[Promotion, ...]:
    """Return every verdict on record for a sweep, the newest first.

    Args:
        run_id: Id of the sweep's run.
        uri: Tracking URI.

    Raises:
        StoreError: An artifact is not a verdict.
    """
    found: dict[tuple[str, str, int], Promotion] = {}
    for path in tracking.list_files(run_id, FOLDER, uri=uri):
        if path.endswith(".json"):
            one = _promotion(tracking.read_text(run_id, path, uri=uri) or "", f"run {run_id}: artifact {path}")
            found[one.model, one.version, one.number] = one
    return tuple(sorted(found.values(), key=lambda one: (-one.at_ms, one.model, -int(one.version), -one.number)))


def _promotion(text: str, place: str) -> Promotion:
    try:
        return _parsed(load_json(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise StoreError(f"{place}: is not a verdict of promote ({reason}); remove it, or promote again") from None


def _parsed(content: Mapping[str, Any]) -> Promotion:
    verdict, judged, policy = content["verdict"], content["judged"], content["policy"]
    champion = content["champion_compared"]
    return Promotion(
        model=content["model"],
        version=content["version"],
        number=int(judged["number"]),
        decision=judged["decision"],
        reasons=tuple(judged["reasons"]),
        at_ms=int(judged["at_ms"]),
        challenger=content["challenger"]["label"],
        champion_version=verdict["compared_with"],
        champion="" if champion is None else champion["label"],
        metric=policy["objective"]["metric"],
        difference=None if verdict["difference"] is None else _interval(verdict["difference"]),
        p_value=math.nan if verdict["p_value"] is None else float(verdict["p_value"]),
        test=verdict["test"],
        level=float(policy["level"]),
        smallest_improvement=float(policy["smallest_improvement"]),
        margin=None if policy["margin"] is None else float(policy["margin"]),
        n=int(verdict["n"]),
        is_paired=bool(verdict["is_paired"]),
        seeds=tuple(int(seed) for seed in judged["seeds"]),
        constraints=tuple((one["text"], bool(one["is_met"]), one["reason"]) for one in verdict["constraints"]),
        data_digest=content["challenger"]["data_digest"],
        policy_file=content.get("policy_file", ""),  # records of the first form do not have it
    )


def _interval(values: Mapping[str, Any]) -> Interval:
    return Interval(
        estimate=float(values["estimate"]),
        low=float(values["low"]),
        high=float(values["high"]),
        level=float(values["level"]),
        n=int(values["n"]),
        method=values["method"],
    )
