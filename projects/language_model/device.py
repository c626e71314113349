"""Handle the device of a run: its precision, its peak speed and the memory used.

All differences between a CPU and a GPU are here.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext

import torch

from projects.language_model.config import Config
from projects.language_model.problem import DeviceProblem
from projects.language_model.shape import Shape

# Dense peak of one device in FLOP/s, (bfloat16 tensor cores, float32 without them), from NVIDIA's data sheets:
# A100 (2021), H100 (2023), H200 (2024), L4 and L40S (2023), GeForce RTX 4090 (Ada white paper, 2022; bfloat16 with
# float32 sums). A name counts where it is part of what torch calls the device; longer names come first.
PEAKS = {
    "H100 PCIe": (756e12, 51e12),
    "H100": (989e12, 67e12),
    "H200": (989e12, 67e12),
    "A100": (312e12, 19.5e12),
    "L40S": (362e12, 91.6e12),
    "L4": (121e12, 30.3e12),
    "RTX 4090": (165e12, 82.6e12),
}
MIB = 2**20


def open_device(config: Config) -> torch.device:
    """Open the device of a config, settled so that equal runs give equal numbers.

    Raises:
        DeviceProblem: there is no such device, or it lacks the precision or the compiler that is asked for.
    """
    device = torch.device(_name(config))
    if device.type == "mps":
        _check_mps(config)
    if device.type == "cuda":
        _check_cuda(config, device)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS may sum in another order
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling costs time and changes no number that is read.
        torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
        torch.cuda.reset_peak_memory_stats(device)
    elif config.threads is not None:
        torch.set_num_threads(config.threads)
    if config.compile and device.type == "cpu" and not _has_compiler():
        raise DeviceProblem(
            "compile: torch.compile needs a C++ compiler on the CPU and none was found; set it to false"
        )
    return device


def precision(config: Config, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which the model runs forward."""
    if config.dtype in ("bfloat16", "float16"):
        return torch.autocast(device.type, dtype=getattr(torch, config.dtype))
    return nullcontext()


def loss_scaler(config: Config, device: torch.device) -> torch.amp.GradScaler | None:
    """Return the scaler that keeps small float16 gradients above zero, if needed. Micikevicius, arXiv:1710.03740."""
    return torch.amp.GradScaler(device.type) if config.dtype == "float16" else None


def in_double(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor in float64; from an Apple GPU, which has no float64, in main memory."""
    return x.cpu().double() if x.device.type == "mps" else x.double()


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_memory_mib(device: torch.device) -> float:
    """Return the largest memory so far: torch's on a GPU, this process's (which may have trained before) on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / MIB if sys.platform == "darwin" else largest / 1024  # macOS counts bytes, Linux KiB


def peak_flops(device_name: str, dtype: str) -> float | None:
    """Return the most floating-point operations a second that a device can do, or None if it is not known."""
    if dtype == "float64":
        return None
    for name, (bfloat16, float32) in PEAKS.items():
        if name in device_name.split(",")[0]:
            return float32 if dtype == "float32" else bfloat16  # tensor cores are as fast in float16
    return None


def device_name(device: torch.device) -> str:
    """Return torch's name of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def flops_per_token(shape: Shape, n_parameters: int) -> float:
    """Count the operations of training on one token: 6 N + 12 layers x width x context.

    Chowdhery et al. arXiv:2204.02311, B.

    Args:
        shape: the architecture.
        n_parameters: without the input embedding, which is looked up and not multiplied.
    """
    return 6.0 * n_parameters + 12.0 * shape.num_layers * shape.d_model * shape.context_length


def _name(config: Config) -> str:
    if config.device not in (None, "auto"):
        return config.device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() and config.dtype != "float64" else "cpu"


def _check_mps(config: Config) -> None:
    if not torch.backends.mps.is_available():
        raise DeviceProblem("device: 'mps' is not available: torch finds no Apple GPU; set it to cpu or auto")
    if config.dtype == "float64":
        raise DeviceProblem("dtype: an Apple GPU has no float64; set dtype to float32 or device to cpu")


def _check_cuda(config: Config, device: torch.device) -> None:
    if not torch.cuda.is_available():
        raise DeviceProblem(f"device: {config.device!r} is not available: torch finds no CUDA; set it to cpu or auto")
    n_devices = torch.cuda.device_count()
    if device.index is not None and device.index >= n_devices:
        raise DeviceProblem(
            f"device: {config.device!r} is not available: torch finds {n_devices}; choose a smaller number"
        )
    if config.dtype == "bfloat16" and not torch.cuda.is_bf16_supported():
        raise DeviceProblem(f"dtype: {device_name(device)} has no bfloat16; set dtype to float32")


def _has_compiler() -> bool:
    return any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++"))
