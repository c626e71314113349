"""Read a registered model: its champion, and the evidence that each version was registered with.

A version's tags name the runs of its evidence and digests of their numbers. Runs with changed numbers are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rothamsted import tracking
from rothamsted.errors import PromotionError
from rothamsted.promotion.evidence.of_sweep import evidence_run
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.types import Evidence
from rothamsted.tracking.registry.found import FoundModel, FoundVersion
from rothamsted.tracking.registry.registered import ModelRegistry
from rothamsted.yaml_text import load_json

KEY = "rothamsted.evidence.key"  # SHA-256 of the run ids that it rests on: no two versions share it
DIGEST = "rothamsted.evidence.digest"  # SHA-256 of their numbers
SEAL = "rothamsted.evidence.seal"  # SHA-256 of the tag EVIDENCE itself
EVIDENCE = "rothamsted.evidence"  # JSON: everything else that is known of the model
ROLLED_BACK = "rothamsted.rolled_back"  # JSON: when, to which version, why
_FIELDS = ("label", "config", "study", "sweep", "sweep_run_id", "commit", "code_digest", "data_digest", "metric")


@dataclass(frozen=True, kw_only=True)
class ChampionRecord:
    """Holds a registered model as it is now: its versions, its champion, and the champion's evidence."""

    model: FoundModel | None  # None: not registered yet
    versions: Mapping[str, FoundVersion]  # number -> version
    champion: str | None  # version
    evidence: Evidence | None  # of the champion, read again from its runs
    reduce: str  # how the champion's curves became one number; empty without champion
    largest_seed: int  # of all that the champion's sweep has trained on; -1 without champion

    def version_of(self, evidence: Evidence) -> FoundVersion | None:
        """Return the version that was registered with this evidence; of several the newest."""
        key = evidence_key(evidence)
        found = [version for version in self.versions.values() if version.tags.get(KEY) == key]
        return max(found, key=lambda version: int(version.version), default=None)


def read_champion_record(registry: ModelRegistry, policy: Policy) -> ChampionRecord:
    """Read a registered model and the evidence of its champion.

    Raises:
        PromotionError: The champion has no evidence, or its evidence was altered or its runs were deleted.
    """
    model = registry.find_model(policy.model)
    if model is None:
        return ChampionRecord(model=None, versions={}, champion=None, evidence=None, reduce="", largest_seed=-1)
    versions = {version.version: version for version in registry.versions(policy.model)}
    number = model.aliases.get(policy.aliases.champion)
    if number is None:
        return ChampionRecord(model=model, versions=versions, champion=None, evidence=None, reduce="", largest_seed=-1)
    champion = versions.get(number)
    if champion is None:
        raise PromotionError(
            f"model '{policy.model}': its alias {policy.aliases.champion} points at version {number}, which is not "
            "there; remove the alias, or let it point at another version"
        )
    return ChampionRecord(
        model=model,
        versions=versions,
        champion=number,
        evidence=registered_evidence(champion, uri=registry.tracking_uri),
        reduce=_evidence_json(champion)["reduce"],
        largest_seed=_evidence_json(champion)["largest_seed"],
    )


def evidence_key(evidence: Evidence) -> str:
    """Return the SHA-256 of the run ids of evidence: the same runs are the same evidence."""
    return hashlib.sha256("\n".join(sorted(run.run_id for run in evidence.runs)).encode()).hexdigest()


def evidence_tags(evidence: Evidence, *, reduce: str, largest_seed: int, metrics: Sequence[str] = ()) -> dict[str, str]:
    """Return the tags that record evidence on a version.

    Args:
        evidence: The evidence of the version.
        reduce: How its curves became one number.
        largest_seed: Largest seed that its sweep has trained on, including the search; later comparisons use larger
            seeds.
        metrics: Metrics of the policy's constraints; a digest of their values is recorded too.
    """
    record = {field: getattr(evidence, field) for field in _FIELDS}
    record |= {"reduce": reduce, "largest_seed": largest_seed, "run_ids": [run.run_id for run in evidence.runs]}
    record |= {"metrics": {metric: evidence.metric_digest(metric) for metric in metrics}}
    text = json.dumps(record, sort_keys=True)
    return {
        KEY: evidence_key(evidence),
        DIGEST: evidence.digest(),
        SEAL: _seal(text),
        EVIDENCE: text,
        "rothamsted.sweep": evidence.sweep,
        "rothamsted.study": evidence.study,
        "rothamsted.seeds": ", ".join(run.seed for run in evidence.runs),
        "rothamsted.commit": evidence.commit,
        "rothamsted.code_digest": evidence.code_digest,
        "rothamsted.data_digest": evidence.data_digest,
    }


def registered_evidence(version: FoundVersion, *, uri: str) -> Evidence:
    """Return the evidence of a version, its numbers read again from the runs.

    Raises:
        PromotionError: There is no evidence, it was altered, or runs of it were deleted.
    """
    place = f"version {version.version} of model '{version.model}'"
    record = _evidence_json(version)
    runs = []
    for run_id in record["run_ids"]:
        run = tracking.find_run(run_id, uri=uri)
        if run is None:
            raise PromotionError(
                f"{place}: run {run_id} of its evidence was deleted, so that nothing can be compared with it; restore "
                f"it (mlflow runs restore --run-id {run_id}), or let the alias point at another version"
            )
        runs.append(evidence_run(run))
    evidence = Evidence(**{field: record[field] for field in _FIELDS}, runs=tuple(runs), version=version.version)
    check_unaltered(evidence, version)
    return evidence


def check_unaltered(evidence: Evidence, version: FoundVersion) -> None:
    """Refuse evidence with numbers that changed since its version was registered.

    It checks the objectives, and the metrics of the constraints at registration. Of versions from before such digests
    existed only the objectives are checked.

    Raises:
        PromotionError: a number changed; the message has both digests.
    """
    sealed = {"numbers": (version.tags.get(DIGEST, ""), evidence.digest())}
    recorded = _evidence_json(version).get("metrics", {})
    sealed |= {f"values of {name}": (stood, evidence.metric_digest(name)) for name, stood in recorded.items()}
    for what, (stood, now) in sealed.items():
        if stood != now:
            raise PromotionError(
                f"version {version.version} of model '{version.model}': its evidence was altered: the {what} of its "
                f"runs have the digest {now[:12]}, and had {stood[:12]} when it was registered; put the runs of sweep "
                f"{evidence.sweep} back as they were, or let the alias point at another version"
            )


def said_of_rollback(text: str) -> str:
    """Return the tag ROLLED_BACK in words, or as it is if another program wrote it."""
    try:
        said = load_json(text)
        return f"{said['at']}, to version {said['to_version']}: {said['reason']}"
    except (ValueError, TypeError, KeyError):
        return text


def _evidence_json(version: FoundVersion) -> dict[str, Any]:
    place = f"version {version.version} of model '{version.model}'"
    text = version.tags.get(EVIDENCE)
    if text is None:
        raise PromotionError(
            f"{place}: carries no evidence (it was not registered by promote), so that nothing can be compared with "
            "it; remove its alias to begin without a champion"
        )
    if _seal(text) != version.tags.get(SEAL):
        raise PromotionError(f"{place}: its tag {EVIDENCE} was altered; let the alias point at another version")
    return json.loads(text)


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
