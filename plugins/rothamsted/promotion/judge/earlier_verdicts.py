"""Read and write the verdicts on a version: one tag of the version for each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rothamsted.analysis.read_promotions import FOLDER
from rothamsted.errors import StoreError
from rothamsted.promotion.types import Decision, Verdict
from rothamsted.tracking.registry.found import FoundVersion
from rothamsted.wording import estimate, level_percent, probability
from rothamsted.yaml_text import load_json

PREFIX = "rothamsted.judged."


@dataclass(frozen=True, kw_only=True)
class RecordedVerdict:
    """Holds one verdict on a version, as the version's tag has it."""

    number: int  # 1, 2, ... of this version
    at_ms: int  # milliseconds since 1970
    basis: str  # SHA-256 of what it depends on
    decision: Decision
    reasons: tuple[str, ...]
    compared_with: str  # version; empty where nothing was compared
    is_paired: bool
    seeds: tuple[int, ...]  # fresh common ones; empty where recorded replicates were compared
    sweep: str
    share: float | None = None  # of the error rate that it could spend; None: recorded before looks had shares


def read_verdicts(version: FoundVersion) -> list[RecordedVerdict]:
    """Return the verdicts on a version, the first one first.

    Raises:
        StoreError: a tag is not a verdict.
    """
    found = []
    for key in sorted(key for key in version.tags if key.startswith(PREFIX)):
        try:
            values = load_json(version.tags[key])
            values |= {"reasons": tuple(values["reasons"]), "seeds": tuple(values["seeds"])}
            found.append(RecordedVerdict(number=int(key.removeprefix(PREFIX)), **values))
        except (ValueError, TypeError, KeyError) as error:
            place = f"version {version.version} of model '{version.model}'"
            raise StoreError(f"{place}: tag {key} is not a verdict of promote: {error}; remove it") from None
    return found


def verdict_to_record(
    before: Sequence[RecordedVerdict], verdict: Verdict, *, basis: str, seeds: Sequence[int], sweep: str, at_ms: int
) -> RecordedVerdict:
    """Return a verdict as it will be recorded.

    If a verdict of the same basis is recorded already, its number and time are used again. Otherwise it gets the next
    number.
    """
    same = next((one for one in before if one.basis == basis), None)
    return RecordedVerdict(
        number=same.number if same else max((one.number for one in before), default=0) + 1,
        at_ms=same.at_ms if same else at_ms,
        basis=basis,
        decision=verdict.decision,
        reasons=verdict.reasons,
        compared_with=verdict.compared_with,
        is_paired=verdict.is_paired,
        seeds=tuple(seeds),
        sweep=sweep,
        share=verdict.share,
    )


def artifact_path(model: str, version: str, number: int) -> str:
    """Return the path of a verdict's JSON among the artifacts of its sweep's run.

    Args:
        model: Registered model.
        version: Version of the challenger.
        number: Number of the verdict on this version; the path of the first has no number.
    """
    return f"{FOLDER}/{model}-{version}{'' if number == 1 else f'.{number:03d}'}.json"


def verdict_tags(recorded: RecordedVerdict, verdict: Verdict) -> dict[str, str]:
    """Return the tags of a verdict: one for programs, the others for people."""
    values = asdict(recorded)
    number = values.pop("number")
    return {
        f"{PREFIX}{number:03d}": json.dumps(values),
        "rothamsted.verdict": verdict.decision,
        "rothamsted.verdict.reasons": " ".join(verdict.reasons),
        "rothamsted.verdict.compared_with": verdict.compared_with or "nothing",
        "rothamsted.verdict.difference": difference_text(verdict),
        "rothamsted.verdict.p_value": "none" if verdict.p_value is None else probability(verdict.p_value),
        "rothamsted.verdict.test": verdict.test or "none",
        "rothamsted.verdict.n": str(verdict.n),
        "rothamsted.verdict.seeds": ", ".join(map(str, recorded.seeds)) or "those of the evidence",
    }


def difference_text(verdict: Verdict) -> str:
    """Return challenger minus champion with its interval."""
    found = verdict.difference
    if found is None:
        return "none"
    low, high = _bound(found.low), _bound(found.high)
    shown = str(estimate(found.estimate, found.low, found.high))
    if "[" not in shown:
        shown = f"{shown} [{low}, {high}]"
    return f"{shown}, {level_percent(round(found.level, 6))} interval"


def jsonable(value: Any) -> Any:
    """Return plain values as JSON can hold them: NaN and infinities become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {str(key): jsonable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(one) for one in value]
    return value


def _bound(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ("∞" if value > 0 else "−∞" if value < 0 else "?")
