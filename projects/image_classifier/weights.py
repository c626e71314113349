"""Weights from a file into a network: torchvision's .pth or safetensors, checked name by name and shape by shape."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from projects.files.problem import DataProblem

_WAY_OUT = "give torchvision's efficientnet_b0 weights (.pth), or a .safetensors file with the same names"
_HEAD = "classifier.1."


def load_weights(network: nn.Module, path: Path, *, keeps_head: bool) -> None:
    """Put a file's weights into a network.

    Args:
        network: with torchvision's names.
        path: a state dictionary as .pth or .pt (loaded without running code), or .safetensors.
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
    network.load_state_dict(found)


def check_there(path: Path) -> None:
    """Refuse a file of weights that is missing.

    Raises:
        DataProblem: with the command that makes one.
    """
    if not path.is_file():
        raise DataProblem(
            f"{path}: is not there; {_WAY_OUT}, or run: mlflow run . -e prepare_data -P dataset=b0_weights"
        )


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The arrays of a file by name.

    Raises:
        DataProblem: it is not there or holds no dictionary of arrays.
    """
    check_there(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        word = "is no file of weights alone" if isinstance(error, pickle.UnpicklingError) else "cannot be read"
        raise DataProblem(f"{path}: {word} ({reason}); {_WAY_OUT}") from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise DataProblem(f"{path}: holds no dictionary of arrays by name; {_WAY_OUT}")
    return found
