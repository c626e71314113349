"""Made-up data for the tests of training: no pictures, both domains linear views of four shared numbers, real bits."""

from __future__ import annotations

import numpy as np

from projects.global_workspace.data.bits import draw_bits
from projects.global_workspace.data.config import DOMAINS, DataConfig, columns, latent_sizes
from projects.global_workspace.data.dataset import Split, WorkspaceData, seal

SMALL = {"n_train": 256, "n_val": 64, "n_test": 64}
N_SHARED = 4


def made_up_data(config: DataConfig) -> WorkspaceData:
    """The data of a configuration as they are, but for the latents."""
    views = {
        domain: np.random.default_rng([1, number]).standard_normal((N_SHARED, size)) / 2
        for number, (domain, size) in enumerate(latent_sizes(config).items())
    }
    splits = {part: _split(config, number, part, views) for number, part in enumerate(("train", "val", "test"))}
    return seal(splits, columns(config))


def _split(config: DataConfig, number: int, part: str, views: dict[str, np.ndarray]) -> Split:
    rng = np.random.default_rng([config.seed, number])
    n = config.n_rows(part) or 0
    bits, shared = draw_bits(config, n, rng), rng.standard_normal((n, N_SHARED))
    domains = {
        domain: np.hstack([shared @ views[domain], 2 * bits.of_domain(domain) - 1]).astype(np.float32)
        for domain in DOMAINS
    }
    return Split(domains=domains, synergy=bits.synergy, unique=bits.unique, redundant=bits.redundant)
