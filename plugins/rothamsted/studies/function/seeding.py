"""Seed the global random generators before each replicate, and keep their states with a checkpoint.

Seeded: `random`, NumPy's global generator, torch's, Keras's, also where the function itself imports them first. Not
seeded, because they are the function's own: `default_rng()`, JAX keys, generators that it makes.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

NUMPY_SEEDS = 2**32  # the seeds of NumPy's global generator


def seed_generators(seed: int) -> None:
    """Seed every global generator that is there, and each of the others when it is first imported."""
    _Watcher.seed = seed
    if not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())
    for name in ("keras", "torch"):  # keras seeds all of them, in its own way, and is first for that reason
        if name in sys.modules:
            _SEEDERS[name](sys.modules[name], seed)
    random.seed(seed)
    np.random.seed(seed % NUMPY_SEEDS)


def generator_states() -> dict[str, Any]:
    """Return the states of `random`, NumPy's global generator, and torch's on the CPU and on the GPUs in use."""
    states: dict[str, Any] = {"random": random.getstate(), "numpy": np.random.get_state()}
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_generators(states: Mapping[str, Any]) -> None:
    """Set the generators back to their states at a checkpoint."""
    random.setstate(states["random"])
    np.random.set_state(states["numpy"])
    if "torch" in states:
        import torch

        torch.set_rng_state(states["torch"])
        if "cuda" in states:
            torch.cuda.set_rng_state_all(states["cuda"])


def _seed_torch(torch: Any, seed: int) -> None:
    torch.manual_seed(seed)


def _seed_keras(keras: Any, seed: int) -> None:
    keras.utils.set_random_seed(seed % NUMPY_SEEDS)


_SEEDERS: Mapping[str, Callable[[Any, int], None]] = {"torch": _seed_torch, "keras": _seed_keras}


class _Watcher(MetaPathFinder):
    """Seeds a library right after its first import."""

    seed = 0

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _SEEDERS:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _Seeding(spec.loader, fullname)
        return spec


class _Seeding(Loader):
    """Loads as another loader does, then seeds."""

    def __init__(self, loader: Loader, name: str) -> None:
        self._loader, self._name = loader, name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader  # what asks the module for its loader later finds its own
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _SEEDERS[self._name](module, _Watcher.seed)
