"""Read from the registry the earlier comparisons of a challenger with the champion, and their pairs.

Each verdict is a tag of the challenger's version. Its pairs are among the artifacts of its sweep's run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rothamsted import tracking
from rothamsted.promotion.evidence.of_champion import EVIDENCE, KEY, ChampionRecord, evidence_key
from rothamsted.promotion.judge.earlier_verdicts import RecordedVerdict, artifact_path, read_verdicts
from rothamsted.promotion.judge.looks import EarlierPairs, Look, plan_look
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.types import Evidence
from rothamsted.tracking.registry.found import FoundVersion
from rothamsted.yaml_text import load_json


@dataclass(frozen=True, kw_only=True)
class EarlierVerdict:
    """Holds a recorded verdict with its version."""

    version: FoundVersion
    verdict: RecordedVerdict


def earlier_verdicts(evidence: Evidence, record: ChampionRecord) -> list[EarlierVerdict]:
    """Return the verdicts on a challenger, oldest first: on its version, and on others of the same condition.

    The same condition, code and data are the same challenger, even if a sweep found it again under another name.
    """
    versions = [version for version in record.versions.values() if _is_of(evidence, version)]
    found = [EarlierVerdict(version=version, verdict=one) for version in versions for one in read_verdicts(version)]
    return sorted(found, key=lambda one: (one.verdict.at_ms, int(one.version.version), one.verdict.number))


def read_look(evidence: Evidence, record: ChampionRecord, policy: Policy, *, basis: str, uri: str) -> Look:
    """Return the look that a verdict of this basis is, and the share of the error rate that it may spend.

    A recorded verdict keeps its place. A dry run is not recorded, and is not a look.

    Args:
        evidence: Evidence of the challenger.
        record: The champion, and all versions with their verdicts.
        policy: The policy with its number of looks.
        basis: Basis of the verdict.
        uri: Tracking URI.
    """
    before: list[EarlierVerdict] = []
    for one in earlier_verdicts(evidence, record):
        if one.verdict.basis == basis:
            break
        if one.verdict.compared_with and one.verdict.compared_with == record.champion and one.verdict.share != 0:
            before.append(one)
    pairs = [_pairs(one, uri=uri) for one in before if one.verdict.is_paired and one.verdict.seeds]
    return plan_look(policy, [one.verdict.share for one in before], [one for one in pairs if one is not None])


def _is_of(evidence: Evidence, version: FoundVersion) -> bool:
    if version.tags.get(KEY) == evidence_key(evidence):
        return True
    try:
        known = load_json(version.tags.get(EVIDENCE, "{}"))
    except ValueError:
        return False
    if not isinstance(known, dict):
        return False
    fields = ("study", "config", "code_digest", "data_digest")
    return evidence.code_digest != "" and all(known.get(name) == getattr(evidence, name) for name in fields)


def _pairs(earlier: EarlierVerdict, *, uri: str) -> EarlierPairs | None:
    """The pairs of an earlier look; None where they are not on record: it then counts as a look, and adds nothing."""
    version, verdict = earlier.version, earlier.verdict
    try:
        run_id = load_json(version.tags[EVIDENCE])["sweep_run_id"]
        path = artifact_path(version.model, version.version, verdict.number)
        content = load_json(tracking.read_text(run_id, path, uri=uri) or "null")
        challenger, champion = (_by_seed(content[f"{who}_compared"]["runs"]) for who in ("challenger", "champion"))
    except (ValueError, TypeError, KeyError):
        return None
    seeds = [str(seed) for seed in verdict.seeds]
    a, b = (np.array([of_one.get(seed, math.nan) for seed in seeds]) for of_one in (challenger, champion))
    return EarlierPairs(challenger=a, champion=b)


def _by_seed(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    found = {}
    for run in runs:
        value = float(run["objective"]) if run["outcome"] == "finished" else math.nan
        found[str(run["seed"])] = value if math.isfinite(value) else math.nan
    return found
