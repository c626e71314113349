"""Measure how much memory of its device training takes, and recognise when it was too much.

Only libraries that the study has imported are asked. If none of them has a GPU, main memory counts.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from typing import Any

import psutil


@dataclass(frozen=True, kw_only=True)
class DeviceMemory:
    """Holds the memory of the device that this process trains on, in bytes.

    Attributes:
        peak: the most that this process has taken so far.
        total: the most that it may take.
    """

    peak: int
    total: int


def device_memory() -> DeviceMemory:
    """Say what this process has taken of its device: of the GPU of JAX or torch, if one has been used, else of RAM."""
    jax, torch = sys.modules.get("jax"), sys.modules.get("torch")
    stats = _stats_of(jax) if jax is not None else {}
    if stats.get("bytes_limit"):
        return DeviceMemory(peak=stats["peak_bytes_in_use"], total=stats["bytes_limit"])
    if torch is not None and torch.cuda.is_available() and (peak := torch.cuda.max_memory_reserved()):
        free, _ = torch.cuda.mem_get_info()
        return DeviceMemory(peak=peak, total=free + torch.cuda.memory_reserved())  # others may share it
    info = psutil.Process().memory_info()
    return DeviceMemory(peak=info.rss, total=info.rss + psutil.virtual_memory().available)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether training raised because a device, or this machine, has too little memory."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or type(seen).__name__ == "OutOfMemoryError":  # of torch
            return True
        if "RESOURCE_EXHAUSTED" in str(seen):  # of XLA
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def release_memory() -> None:
    """Give back what a training that has ended still holds of its device."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _stats_of(jax: Any) -> dict[str, int]:
    """What JAX knows of its first device; empty where it keeps no account, as on a CPU."""
    return jax.local_devices()[0].memory_stats() or {}
