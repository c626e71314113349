"""Say which bits the probes read, from the settings only, without importing JAX."""

from __future__ import annotations

from collections.abc import Sequence

from projects.global_workspace.config import Config
from projects.global_workspace.data.config import DOMAINS


def bits_of(config: Config, kind: str) -> tuple[Sequence[int], ...]:
    """Return the bits of a kind that count: of unique ones for each domain, of the others one list of either's."""
    if kind == "unique":
        return tuple(config.synergy.unique_indices.of(domain, config.data.count("unique")) for domain in DOMAINS)
    if kind == "redundant":
        named = [config.synergy.redundant_indices.of(domain, config.data.count("redundant")) for domain in DOMAINS]
    else:
        named = [config.targets_of(domain) for domain in DOMAINS]
    return (sorted({index for own in named for index in own}),)


def bits_of_probes(config: Config) -> dict[str, int]:
    """Map each kind of probe to the number of bits that it reads in a row."""
    counts = {kind: sum(map(len, bits_of(config, kind))) for kind in ("synergy", "unique", "redundant")}
    found = {kind: n for kind, n in counts.items() if n}
    return found | {"synergy_nonlinear": found["synergy"]}
