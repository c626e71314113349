"""Load weights from a file into a network: torchvision's .pth or safetensors, with names and shapes checked.

A file with the name of torchvision's published weights is refused if it differs from them: such names end with the
first digits of the sha256.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_there, open_file, reading
from projects.files.safetensors_head import check_head
from projects.image_classifier.state_dict import read_state_dict

_WAY_OUT = "give torchvision's efficientnet_b0 weights (.pth), or a .safetensors file with the same names"
_HEAD = "classifier.1."
IMAGENET = "imagenet"  # as `model.weights`: the file below, wherever it lies
PUBLISHED = "efficientnet_b0_rwightman-7f5810bc.pth"
PUBLISHED_SHA256 = "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934"
FOLDER = Path("data") / "efficientnet_b0"
_DIGITS_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth")


def load_weights(network: nn.Module, path: Path, *, keeps_head: bool) -> None:
    """Put a file's weights into a network.

    Args:
        network: with torchvision's names.
        path: a state dictionary as .pth or .pt (no code of it is run), or .safetensors.
        keeps_head: the classifier's too; else the network's own classifier stays as it was drawn.

    Raises:
        DataProblem: the file cannot be read, is of another network, or has another number of classes.
    """
    found, own = read_weights(path), network.state_dict()
    if not keeps_head:
        found = {name: found.get(name, value) for name, value in found.items() if not name.startswith(_HEAD)}
        found |= {name: value for name, value in own.items() if name.startswith(_HEAD)}
    elif _HEAD + "weight" in found and len(found[_HEAD + "weight"]) != len(own[_HEAD + "weight"]):
        raise DataProblem(
            f"{path}: its classifier has {len(found[_HEAD + 'weight'])} classes and the data have "
            f"{len(own[_HEAD + 'weight'])}; set model.head to new"
        )
    if set(found) != set(own):
        missing, unknown = sorted(set(own) - set(found)), sorted(set(found) - set(own))
        raise DataProblem(
            f"{path}: is of another network: {len(missing)} arrays are missing ({', '.join(missing[:2]) or 'none'}) "
            f"and {len(unknown)} unknown ({', '.join(unknown[:2]) or 'none'}); {_WAY_OUT}"
        )
    for name, value in own.items():
        if found[name].shape != value.shape:
            raise DataProblem(f"{path}: {name} is {list(found[name].shape)}, not {list(value.shape)}; {_WAY_OUT}")
        if found[name].is_floating_point() != value.is_floating_point():
            raise DataProblem(f"{path}: {name} holds {found[name].dtype}, not {value.dtype}; {_WAY_OUT}")
    network.load_state_dict(found)


def weights_path(name: str) -> Path:
    """Find the file that `model.weights` names.

    `imagenet` is the published one, here or where PyTorch keeps downloads.
    """
    if name != IMAGENET:
        return given_path(name)
    ours = FOLDER / PUBLISHED
    torchs = given_path(os.environ.get("TORCH_HOME", "~/.cache/torch")) / "hub" / "checkpoints" / PUBLISHED
    is_elsewhere = is_there(torchs, way_out=_WAY_OUT) and not is_there(ours, way_out=_WAY_OUT)
    return torchs if is_elsewhere else ours


def check_there(path: Path) -> None:
    """Refuse a file of weights that is missing, or that is not what its published name says.

    Raises:
        DataProblem: with the command that makes one, or both digests.
    """
    if not is_there(path, way_out=_WAY_OUT):
        made = "mlflow run . -e prepare_data -P dataset=b0_weights"
        if path.name == PUBLISHED:
            raise DataProblem(
                f"{path}: is not there; copy it there, or with a network run: {made} -P source=torchvision"
            )
        raise DataProblem(f"{path}: is not there; {_WAY_OUT}, or run: {made}")
    published = PUBLISHED_SHA256 if path.name == PUBLISHED else _digits_in(path.name)
    found = _sha256(path) if published else ""
    if found != PUBLISHED_SHA256 and not found.startswith(published):  # torchvision renamed it once: was …-3dd342df.pth
        raise DataProblem(
            f"{path}: has the sha256 {found}, and {published} was published under this name: damaged, or another file; "
            "copy it again, or rename a file that is your own"
        )


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the arrays of a file by name.

    Raises:
        DataProblem: it is not there or holds no dictionary of arrays.
    """
    check_there(path)
    with reading(path, way_out=_WAY_OUT):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            check_head(path, way_out=_WAY_OUT)
            found = load_file(path)
        else:
            found = read_state_dict(path, way_out=_WAY_OUT)
    entries: dict[Any, Any] = found if isinstance(found, dict) else {}
    arrays = {name: value for name, value in entries.items() if isinstance(name, str) and torch.is_tensor(value)}
    if not isinstance(found, dict) or len(arrays) != len(entries):
        raise DataProblem(f"{path}: holds no dictionary of arrays by name; {_WAY_OUT}")
    for name, value in arrays.items():
        with reading(f"{path}: {name}", way_out=_WAY_OUT):  # a shape may be one that torch cannot count with
            _check_array(value, f"{path}: {name}")
    return arrays


def _check_array(value: torch.Tensor, place: str) -> None:
    """Refuse what is no plain array of finite numbers: a view may promise more values than the file holds."""
    is_plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not is_plain or value.is_complex():
        raise DataProblem(f"{place}: must be a plain array of real numbers, got {value.dtype}; {_WAY_OUT}")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise DataProblem(f"{place}: promises the shape {list(value.shape)}, and has fewer values; {_WAY_OUT}")
    if not torch.isfinite(value).all():
        raise DataProblem(f"{place}: holds NaN or an infinite number; {_WAY_OUT}")


def _digits_in(name: str) -> str:
    found = _DIGITS_IN_NAME.search(name)
    return found[1] if found else ""


def _sha256(path: Path) -> str:
    with open_file(path, way_out=_WAY_OUT) as file, reading(path, way_out=_WAY_OUT):
        return hashlib.file_digest(file, "sha256").hexdigest()
