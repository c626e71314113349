"""Write and read weights as one safetensors file, with shape, step and validation loss in its header.

The file is for using a trained model; `state` is for going on with a training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from safetensors import safe_open
from safetensors.numpy import save

from projects.files.reading import reading
from projects.files.safetensors_head import check_head
from projects.files.values import finite_numbers
from projects.language_model.shape import Shape


def weights_bytes(parameters: Mapping[str, np.ndarray], shape: Shape, *, step: int, val_loss: float) -> bytes:
    """Return the content of a file of weights.

    Args:
        parameters: name as in `Transformer` -> array.
        shape: the architecture.
        step: updates done.
        val_loss: nats a token; NaN where it was not measured at this step.
    """
    header = {"shape": json.dumps(asdict(shape)), "step": str(step), "val_loss": repr(float(val_loss))}
    return save({name: np.ascontiguousarray(array) for name, array in parameters.items()}, metadata=header)


def read_weights(path: Path) -> tuple[Shape, dict[str, np.ndarray]]:
    """Read the architecture and the weights of a file that `weights_bytes` gave.

    Raises:
        DataProblem: the file cannot be read or is another.
    """
    way_out = "give a file of this study's checkpoints"
    check_head(path, way_out=way_out)
    with reading(path, way_out=way_out):
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
        shape = TypeAdapter(Shape).validate_json(header["shape"])
        sizes = (shape.vocab_size, shape.context_length, shape.d_model, shape.num_layers, shape.num_heads, shape.d_ff)
        if min(sizes) < 1:
            raise ValueError(f"its shape has the sizes {sizes}, and each is 1 or more")
    for name, array in parameters.items():
        finite_numbers(array, place=f"{path}: {name}", way_out=way_out)
    return shape, parameters
