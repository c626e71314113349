"""Return both domains' vectors before the bits, from the cache; torch is imported only if something is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from projects.global_workspace.data.cache import cache_path, cached
from projects.global_workspace.data.config import AttributeVaeConfig, DataConfig, VisualVaeConfig
from projects.global_workspace.data.items import (
    autoencoder_images,
    autoencoder_labels,
    autoencoder_parameters,
    part_images,
    part_labels,
    part_parameters,
)
from projects.global_workspace.data.labels import attribute_vectors

_WEIGHTS, _FIGURES = "weights.", "figures."  # begin the names of the two kinds of cached arrays


class Autoencoder(NamedTuple):
    """Holds a trained autoencoder."""

    weights: dict[str, np.ndarray]
    figures: dict[str, float]  # what it loses on rows that it has not seen: see `vae_training.measure`


def has_autoencoder(config: DataConfig, domain: str) -> bool:
    """Say whether the latent of a domain comes from an autoencoder; otherwise it is the attribute vector."""
    return domain == "visual" or config.attribute_form == "vae"


def domain_latents(config: DataConfig, domain: str, part: str) -> np.ndarray:
    """Return a domain's vectors without bits: float32 (n, d); posterior means, as published, or attribute vectors."""
    if not has_autoencoder(config, domain):
        return attribute_vectors(part_labels(config, part))

    def make() -> dict[str, np.ndarray]:
        from projects.global_workspace.data.vae_training import encode, restore

        vae = restore(_settings(config, domain), autoencoder(config, domain).weights)
        if domain == "visual":
            return {"latents": encode(vae, part_images(config, part))}
        return {"latents": encode(vae, attribute_vectors(part_labels(config, part)))}

    parameters = {"items": part_parameters(config, part), "autoencoder": _parameters(config, domain)}
    return cached(f"{domain}-latents", parameters, make)["latents"]


def autoencoder(config: DataConfig, domain: str) -> Autoencoder:
    """Return the autoencoder of a domain, trained if the cache has none."""

    def make() -> dict[str, np.ndarray]:
        from projects.global_workspace.data.vae_training import train_vae

        fit = train_vae(_settings(config, domain), *_training_rows(config, domain))
        weights = {_WEIGHTS + name: value for name, value in fit.weights.items()}
        return weights | {_FIGURES + name: np.asarray(value) for name, value in fit.figures.items()}

    found = cached(f"{domain}-autoencoder", _parameters(config, domain), make)
    return Autoencoder(
        {name.removeprefix(_WEIGHTS): value for name, value in found.items() if name.startswith(_WEIGHTS)},
        {name.removeprefix(_FIGURES): float(value) for name, value in found.items() if name.startswith(_FIGURES)},
    )


def autoencoder_path(config: DataConfig, domain: str) -> Path:
    """Return the cache file of a domain's autoencoder."""
    return cache_path(f"{domain}-autoencoder", _parameters(config, domain))


def _settings(config: DataConfig, domain: str) -> VisualVaeConfig | AttributeVaeConfig:
    return config.visual_vae if domain == "visual" else config.attribute_vae


def _training_rows(config: DataConfig, domain: str) -> tuple[np.ndarray, np.ndarray]:
    settings = _settings(config, domain)
    if domain == "visual":
        return autoencoder_images(config, settings.seed, settings.n_items)
    train, held_out = autoencoder_labels(config, settings.seed, settings.n_items)
    return attribute_vectors(train), attribute_vectors(held_out)


def _parameters(config: DataConfig, domain: str) -> dict[str, Any]:
    settings = _settings(config, domain)
    items = autoencoder_parameters(config, settings.seed, settings.n_items)
    return {"items": items, "settings": settings.model_dump()}
