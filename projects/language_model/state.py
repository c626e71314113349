"""Turn a training into flat arrays, from which it goes on bit for bit, and back.

Batches and samples are functions of the seed and the step, so that no generator has to be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from projects.language_model.model import Transformer
from projects.training.state import KEPT, check_fits, without_kept

SCALE, SINCE_SCALED, N_STEPS = "scaler/scale", "scaler/updates_since_change", "scaler/steps"
MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's, as torch calls them


@dataclass(kw_only=True)
class Progress:
    """Says how far a training has come."""

    model: Transformer
    optimizer: torch.optim.AdamW
    step: int = 0  # updates done
    kept_step: int = -1  # whose weights the model gets; below 0: the last ones
    kept: dict[str, np.ndarray] = field(default_factory=dict)  # those weights
    has_diverged: bool = False
    scaler: torch.amp.GradScaler | None = None  # of the loss, in float16


def flat_state(progress: Progress) -> dict[str, np.ndarray]:
    """Copy all arrays to main memory."""
    state = {
        "step": np.asarray(progress.step, np.int64),
        "kept_step": np.asarray(progress.kept_step, np.int64),
        "has_diverged": np.asarray(progress.has_diverged),
    }
    for name, parameter in progress.model.named_parameters():
        state[f"parameters/{name}"] = array_of(parameter)
        of_parameter = progress.optimizer.state.get(parameter, {})
        for moment in MOMENTS:
            value = of_parameter.get(moment)
            state[f"{moment}/{name}"] = np.zeros_like(state[f"parameters/{name}"]) if value is None else array_of(value)
    kept = {f"{KEPT}{name}": array.copy() for name, array in progress.kept.items()}
    return state | _scaler_state(progress) | kept


def restore(progress: Progress, state: Mapping[str, np.ndarray]) -> None:
    """Put a state into a training at step 0 of the same config.

    Raises:
        ValueError: The state is of another model: an array is missing, left over, or has another shape or type.
    """
    expected = flat_state(progress)
    kept = {name.removeprefix(KEPT): np.array(array) for name, array in state.items() if name.startswith(KEPT)}
    state = without_kept(state)
    check_fits(state, expected, owner="this model", has="this model has")
    progress.step = int(state["step"])
    progress.kept_step, progress.kept = int(state["kept_step"]), kept
    progress.has_diverged = bool(state["has_diverged"])
    with torch.no_grad():
        for name, parameter in progress.model.named_parameters():
            parameter.copy_(torch.from_numpy(np.array(state[f"parameters/{name}"])))
            if progress.step:
                moments = {moment: _like(parameter, state[f"{moment}/{name}"]) for moment in MOMENTS}
                n_steps = float(state.get(N_STEPS, np.asarray(progress.step)))
                step = torch.tensor(n_steps, device=parameter.device)
                progress.optimizer.state[parameter] = {"step": step, **moments}
    if progress.scaler is not None:
        of_scaler = {"scale": float(state[SCALE]), "_growth_tracker": int(state[SINCE_SCALED])}
        progress.scaler.load_state_dict({**progress.scaler.state_dict(), **of_scaler})


def _scaler_state(progress: Progress) -> dict[str, np.ndarray]:
    """How the loss is scaled, and how many updates were made: one whose gradient overflows is not."""
    if progress.scaler is None:
        return {}
    of_scaler = progress.scaler.state_dict()
    steps = next((float(of_one["step"]) for of_one in progress.optimizer.state.values()), 0.0)
    return {
        SCALE: np.asarray(of_scaler["scale"], np.float64),
        SINCE_SCALED: np.asarray(of_scaler["_growth_tracker"], np.int64),
        N_STEPS: np.asarray(steps, np.float64),
    }


def put_weights(model: Transformer, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a model the weights of some arrays; those that are not among them stay."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in arrays:
                parameter.copy_(torch.from_numpy(np.array(arrays[name])))


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """Copy a tensor to main memory."""
    return tensor.detach().cpu().numpy().copy()


def _like(parameter: torch.Tensor, array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array)).to(parameter.device)
