"""Read out a trained model on validation rows and on test rows: probes, decoders, errors, information.

It works on one member's arrays on the host.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from projects.global_workspace.config import Config
from projects.global_workspace.data.config import DOMAINS
from projects.global_workspace.data.dataset import Split, WorkspaceData
from projects.global_workspace.information import decompose_samples
from projects.global_workspace.probed import bits_of
from projects.global_workspace.probes import Reading, normalised_cross_entropy, random_features, read_bits
from projects.global_workspace.program import Looks

# Part of a domain's vector -> its columns: what no target is made of but the bits, and what the targets are made of.
_COLUMNS = {"features": "latent", "sources": "synergy"}
# Metric -> part of the decomposition whose first source is the visual bit, the second the attribute bit.
_PARTS = {
    "pid/synergistic": "synergistic",
    "pid/redundant": "redundant",
    "pid/unique_visual": "unique_first",
    "pid/unique_attributes": "unique_second",
}


def readout_names(config: Config) -> tuple[str, ...]:
    """Return the names of `readouts`, known before anything is trained."""
    kinds = ["synergy", *(kind for kind in ("unique", "redundant") if any(bits_of(config, kind)))]
    figures = ("accuracy", "normalised_cross_entropy", "chance")
    return (
        *(f"probe/{kind}_{figure}" for kind in kinds for figure in figures),
        "probe/synergy_nonlinear_accuracy",
        "decoder/synergy_accuracy",
        "decoder/synergy_normalised_cross_entropy",
        "readout/reconstruction_synergy_mse",
        "readout/reconstruction_vectors_mse",
        *(f"readout/reconstruction_{domain}_{part}_mse" for domain in DOMAINS for part in _COLUMNS),
        *(f"readout/translation_to_{domain}_mse" for domain in DOMAINS),
        *(f"readout/cycle_{domain}_mse" for domain in DOMAINS),
        *(f"readout/variance_{domain}" for domain in DOMAINS),
        *_PARTS,
    )


def readouts(config: Config, data: WorkspaceData, split: Split, fitted: Looks, seen: Looks) -> dict[str, float]:
    """Return everything in `readout_names`, of one member.

    Args:
        config: Config of the member.
        data: The data it was trained on.
        split: The rows to read out: its validation or its test part.
        fitted: Its looks at the first training rows, on which the probes are fitted.
        seen: Its looks at the rows of `split`.
    """
    width = config.model.workspace_dim
    fit_on, read_on = (np.asarray(looks.workspace, np.float64)[:, :width] for looks in (fitted, seen))
    head = _head(data.train, len(fit_on))
    kinds = {kind: bits_of(config, kind) for kind in ("synergy", "unique", "redundant")}
    readings = {
        kind: read_bits(fit_on, _chosen(head, kind, columns), read_on, _chosen(split, kind, columns))
        for kind, columns in kinds.items()
        if any(columns)
    }
    targets = _chosen(split, "synergy", kinds["synergy"])
    bent = read_bits(
        random_features(fit_on), _chosen(head, "synergy", kinds["synergy"]), random_features(read_on), targets
    )
    found = {f"probe/{kind}_{name}": value for kind, own in readings.items() for name, value in _figures(own).items()}
    found["probe/synergy_nonlinear_accuracy"] = bent.accuracy
    return (
        found
        | _decoder_figures(config, split, seen)
        | _errors(data, split, seen)
        | _information(data, split, kinds["synergy"][0], readings["synergy"].predicted)
    )


def _chosen(split: Split, kind: str, columns: tuple[Sequence[int], ...]) -> np.ndarray:
    """The bits of a kind that count, (row, bit)."""
    if kind == "unique":
        return np.hstack([split.unique[domain][:, list(own)] for domain, own in zip(DOMAINS, columns, strict=True)])
    return getattr(split, kind)[:, list(columns[0])]


def _head(split: Split, n: int) -> Split:
    return Split(
        domains={domain: x[:n] for domain, x in split.domains.items()},
        synergy=split.synergy[:n],
        unique={domain: bits[:n] for domain, bits in split.unique.items()},
        redundant=split.redundant[:n],
    )


def _figures(reading: Reading) -> dict[str, float]:
    names = ("accuracy", "normalised_cross_entropy", "chance")
    return {name: getattr(reading, name) for name in names}


def _decoder_figures(config: Config, split: Split, seen: Looks) -> dict[str, float]:
    """How well the decoders give the targets: means over those that do."""
    accuracies, entropies, errors = [], [], []
    for domain in DOMAINS:
        indices = list(config.targets_of(domain))
        if not indices:
            continue
        probability = 1 / (1 + np.exp(-np.asarray(seen.logits[domain], np.float64)))  # (row, target)
        bits = split.synergy[:, indices]
        accuracies.append(np.mean((probability > 0.5) == bits))
        entropies.append(normalised_cross_entropy(probability, bits))
        errors.append(np.mean((probability - bits) ** 2))
    return {
        "decoder/synergy_accuracy": float(np.mean(accuracies)),
        "decoder/synergy_normalised_cross_entropy": float(np.mean(entropies)),
        "readout/reconstruction_synergy_mse": float(np.mean(errors)),
    }


def _errors(data: WorkspaceData, split: Split, seen: Looks) -> dict[str, float]:
    """Mean squared errors of vectors, and the variance of the truth: the error of always answering its mean."""
    whole = [_mse(seen.vectors[domain], split.domains[domain]) for domain in DOMAINS]
    found = {"readout/reconstruction_vectors_mse": float(np.mean(whole))}
    for domain in DOMAINS:
        true, decoded = split.domains[domain], np.asarray(seen.vectors[domain])
        for part, kind in _COLUMNS.items():
            own = sorted(set(data.columns[kind][domain]))
            found[f"readout/reconstruction_{domain}_{part}_mse"] = _mse(decoded[:, own], true[:, own])
        found[f"readout/translation_to_{domain}_mse"] = _mse(seen.translated[domain], true)
        found[f"readout/cycle_{domain}_mse"] = _mse(seen.cycled[domain], true)
        found[f"readout/variance_{domain}"] = float(np.mean(np.var(true, axis=0, dtype=np.float64)))
    return found


def _mse(predicted: ArrayLike, true: np.ndarray) -> float:
    return float(np.mean((np.asarray(predicted, np.float64) - true) ** 2))


def _information(data: WorkspaceData, split: Split, targets: Sequence[int], predicted: np.ndarray) -> dict[str, float]:
    """What the linear probe's answer takes from what the views give to each target, in bits; means over targets.

    The decomposition of I(answer; visual source, attribute source) by counts of the rows, with the unique information
    of Bertschinger et al. (2014). A workspace that holds the exclusive or openly gives a synergy of 1 bit, one that
    does not gives about 0.
    """
    parts = []
    for column, target in enumerate(targets):
        given = [data.source(split, domain, target) for domain in DOMAINS]
        parts.append(decompose_samples(predicted[:, column].astype(int), *given))
    return {metric: float(np.mean([getattr(own, part) for own in parts])) for metric, part in _PARTS.items()}
