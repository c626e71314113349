"""Choose the device and precision of a training at its start, and put the images there, shared by trainings."""

from __future__ import annotations

import os
import warnings
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch

from projects.files.problem import DataProblem
from projects.image_classifier.config import Config
from projects.image_classifier.data.dataset import ImageSet, Part

MOST_KEPT = 6  # parts; those of two data sets
MOST_BYTES_ON_DEVICE = 4 << 30  # of one part; larger ones stay in main memory and go over batch by batch


class Images(NamedTuple):
    """Holds one part as tensors."""

    images: torch.Tensor  # uint8 (row, 3, side, side)
    labels: torch.Tensor  # int64 (row,)


_PLACED: dict[tuple[str, str, torch.device], Images] = {}


def settle(config: Config) -> torch.device:
    """Choose the device, and have PyTorch compute there with equal results for equal configs.

    Raises:
        DataProblem: there is no such device, or it cannot compute in that precision.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise DataProblem("device: cuda is not available on this machine; set device to auto or cpu")
    is_cuda = config.device != "cpu" and torch.cuda.is_available()
    if is_cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True)
        if config.precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise DataProblem("precision: this GPU has no bfloat16; set precision to float32")
    if torch.get_num_threads() != config.threads:
        torch.set_num_threads(config.threads)
    return torch.device("cuda" if is_cuda else "cpu")


def mixed(config: Config, device: torch.device) -> AbstractContextManager:
    """Compute products and convolutions in the config's precision inside the `with` block."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")


def on_device(data: ImageSet, part: str, device: torch.device) -> Images:
    """Put a part of a data set on the device, once for many trainings."""
    key = (data.digest, part, device)
    if key not in _PLACED:
        while len(_PLACED) >= MOST_KEPT:
            del _PLACED[next(iter(_PLACED))]
        _PLACED[key] = _place(getattr(data, part), device)
    return _PLACED[key]


def _place(part: Part, device: torch.device) -> Images:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nobody writes to them
        images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    return Images(images.to(device) if images.nbytes <= MOST_BYTES_ON_DEVICE else images, labels.to(device))
