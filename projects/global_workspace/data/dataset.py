"""Define what the loader returns: both domains of every item, the targets, and their digest, all read-only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Split:
    """Holds one part of the data; row i of every array is item i.

    Attributes:
        domains: "visual" and "attributes" -> float32 (n, d): the latent, then the domain's bits as -1 and +1.
        synergy: int8 (n, n_synergy): targets, each the exclusive or of one bit of either domain.
        unique: domain -> int8 (n, n_unique): bits that this domain alone carries.
        redundant: int8 (n, n_redundant): bits that both domains carry.
        sources: domain -> int16 (n, n_synergy): what the domain gives to each target, where it is no bit of its vector.
    """

    domains: Mapping[str, np.ndarray]
    synergy: np.ndarray
    unique: Mapping[str, np.ndarray]
    redundant: np.ndarray
    sources: Mapping[str, np.ndarray] | None = None

    @property
    def n(self) -> int:
        """Return the number of items."""
        return len(self.synergy)


@dataclass(frozen=True, kw_only=True)
class WorkspaceData:
    """Holds training, validation and test part.

    Attributes:
        train: items to train on.
        validation: items to choose by.
        test: items to report.
        dims: domain -> size of its vector.
        columns: kind -> domain -> indices in the domain's vector; see `config.columns`.
        digest: sha256, hexadecimal, of all arrays.
    """

    train: Split
    validation: Split
    test: Split
    dims: Mapping[str, int]
    columns: Mapping[str, Mapping[str, tuple[int, ...]]]
    digest: str

    def source(self, split: Split, domain: str, target: int) -> np.ndarray:
        """Return what a domain gives to a target, a whole number for each item of one part, (n,)."""
        if split.sources is not None:
            return split.sources[domain][:, target]
        return (split.domains[domain][:, self.columns["synergy"][domain][target]] > 0).astype(int)


def seal(splits: Mapping[str, Split], columns: Mapping[str, Mapping[str, tuple[int, ...]]]) -> WorkspaceData:
    """Lock the arrays of the parts "train", "val", "test" and take their digest."""
    sha = hashlib.sha256()
    for part, split in splits.items():
        for name, array in _arrays(split):
            array.setflags(write=False)
            sha.update(f"|{part}.{name}{array.dtype.str}{array.shape}|".encode())
            sha.update(np.ascontiguousarray(array).tobytes())
    dims = {domain: array.shape[1] for domain, array in splits["train"].domains.items()}
    return WorkspaceData(
        train=splits["train"],
        validation=splits["val"],
        test=splits["test"],
        dims=dims,
        columns=columns,
        digest=sha.hexdigest(),
    )


def _arrays(split: Split) -> Iterator[tuple[str, np.ndarray]]:
    for domain in sorted(split.domains):
        yield f"domains.{domain}", split.domains[domain]
        yield f"unique.{domain}", split.unique[domain]
        if split.sources is not None:
            yield f"sources.{domain}", split.sources[domain]
    yield "synergy", split.synergy
    yield "redundant", split.redundant
