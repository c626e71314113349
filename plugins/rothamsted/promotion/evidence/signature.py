"""Sign verdicts, and check the signatures of recorded ones.

A digest finds accidental changes, but anybody who can write to the store can write a new digest. A signature,
HMAC-SHA256 (RFC 2104), cannot be made without the key. The key is in the environment of the promoting process and in no
store.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from rothamsted.errors import PromotionError
from rothamsted.promotion.evidence.of_champion import KEY as EVIDENCE_KEY
from rothamsted.promotion.judge.earlier_verdicts import RecordedVerdict, jsonable, read_verdicts
from rothamsted.tracking.registry.found import FoundVersion
from rothamsted.tracking.registry.registered import ModelRegistry

SIGNING_KEY = "ROTHAMSTED_SIGNING_KEY"
SIGNED = "rothamsted.signed."  # tag of a version, with the number of the verdict: its signature, in hex
State = Literal["right", "wrong", "missing", "not checked"]


@dataclass(frozen=True, kw_only=True)
class CheckedSignature:
    """Holds what is known of a verdict's signature.

    Attributes:
        version: the version that was judged.
        number: number of the verdict on it.
        state: result of the check; "not checked": there is a signature, but no key here.
    """

    version: str
    number: int
    state: State

    @property
    def said(self) -> str:
        """Give one line on the signature."""
        place = f"version {self.version}, verdict {self.number}"
        return {
            "right": f"{place}: its signature is right",
            "missing": f"{place}: has no signature: recorded without {SIGNING_KEY}, or the signature was removed",
            "wrong": f"{place}: its signature is wrong: the verdict was changed after signing, or has another key",
            "not checked": f"{place}: is signed, and not checked: set {SIGNING_KEY}",
        }[self.state]


def signing_key(environment: Mapping[str, str] | None = None) -> str:
    """Return the key; empty: verdicts are neither signed nor checked."""
    return (os.environ if environment is None else environment).get(SIGNING_KEY, "")


def signature_of(recorded: RecordedVerdict, version: FoundVersion, key: str) -> str:
    """Return the HMAC-SHA256, in hex, of a verdict, its version with the model that it serves, and its runs."""
    of = {
        "model": version.model,
        "version": version.version,
        "source": version.source,
        "evidence": version.tags.get(EVIDENCE_KEY, ""),
        "verdict": jsonable(asdict(recorded)),
    }
    text = json.dumps(of, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def signature_tag(recorded: RecordedVerdict, version: FoundVersion, key: str) -> dict[str, str]:
    """Return the tag of a signed verdict; none without a key."""
    return {f"{SIGNED}{recorded.number:03d}": signature_of(recorded, version, key)} if key else {}


def signatures_on(version: FoundVersion, key: str) -> tuple[CheckedSignature, ...]:
    """Check the signature of each verdict on a version, the first one first."""
    found = []
    for one in read_verdicts(version):
        written = version.tags.get(f"{SIGNED}{one.number:03d}", "")
        state: State = "missing" if not written else "not checked"
        if key and written:
            is_right = hmac.compare_digest(written.encode(), signature_of(one, version, key).encode())
            state = "right" if is_right else "wrong"
        found.append(CheckedSignature(version=version.version, number=one.number, state=state))
    return tuple(found)


def check_signatures(registry: ModelRegistry, model: str, key: str, say: Callable[[str], None]) -> None:
    """Say for each verdict on a model's versions whether its signature is right; without a key say nothing.

    Raises:
        PromotionError: a signature is wrong.
    """
    if not key or registry.find_model(model) is None:
        return
    every = [one for version in registry.versions(model) for one in signatures_on(version, key)]
    if wrong := [one for one in every if one.state == "wrong"]:
        raise PromotionError(
            f"model '{model}': {wrong[0].said}; find out who wrote it, delete that version, or set the key that it was "
            "signed with"
        )
    for one in every:
        say(one.said)
