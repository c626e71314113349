"""Load both domains of every item, and their bits of the targets, by a configuration."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from projects.global_workspace.data.bits import draw_bits
from projects.global_workspace.data.config import DOMAINS, DataConfig, columns
from projects.global_workspace.data.dataset import Split, WorkspaceData, seal
from projects.global_workspace.data.items import PARTS, bits_generator
from projects.global_workspace.data.latents import domain_latents
from projects.global_workspace.data.xor_targets import columns_of, read_part


def load_data(config: DataConfig) -> WorkspaceData:
    """Draw or read the data that a configuration names; what is costly comes from data/global_workspace.

    A domain's vector is its latent followed by the bits that it carries, each as -1 or +1, so of mean 0 and
    variance 1: first those of the targets, then its unique ones, then the redundant ones; of a folder with targets of
    its own see `xor_targets`. Equal configurations give
    equal arrays and one digest; in simple_shapes a smaller part is the head of a larger one. The last two data sets
    stay in memory.

    Args:
        config: which data.

    Returns:
        Read-only arrays, shared by all callers.

    Raises:
        DataProblem: a file is missing or damaged, a folder has too few rows, or the cache cannot be written.
    """
    return _load(config, Path.cwd())


@lru_cache(maxsize=2)
def _load(config: DataConfig, working_directory: Path) -> WorkspaceData:
    """One data set; the working directory is part of the key: caches and relative paths are others there."""
    if config.name == "xor_targets":
        splits = {part: read_part(config, part) for part in PARTS}
        return seal(splits, columns_of(splits["train"]))
    return seal({part: _load_part(config, part) for part in PARTS}, columns(config))


def _load_part(config: DataConfig, part: str) -> Split:
    latents = {domain: domain_latents(config, domain, part) for domain in DOMAINS}  # (n, d) each
    bits = draw_bits(config, len(latents["visual"]), bits_generator(config, part))
    domains = {
        domain: np.hstack([latents[domain], 2 * bits.of_domain(domain) - 1]).astype(np.float32) for domain in DOMAINS
    }
    return Split(domains=domains, synergy=bits.synergy, unique=bits.unique, redundant=bits.redundant)
