"""Define the trained model: its parameters and a prediction in NumPy, without JAX.

So a server of the model imports NumPy and nothing of the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """Holds one member's Global Workspace, with the weights of the step that counts."""

    parameters: Mapping[str, np.ndarray]  # encoders.visual.0.weight (fan_in, fan_out), …, decoders.visual.0.bias, …
    shares: Mapping[str, float]  # of each domain in the fused workspace
    dims: Mapping[str, int]  # size of each domain's vector
    targets: Mapping[str, Sequence[int]]  # synergy targets that each domain's decoder gives
    test_metrics: Mapping[str, float]  # of these parameters, on rows that no choice used
    input_example: Mapping[str, np.ndarray] = field(repr=False)  # domain -> (row, d)
    pip_requirements: tuple[str, ...] = (f"numpy=={version('numpy')}",)

    def predict(self, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of the workspace for items with both domains.

        Args:
            x: Domain -> vectors as in training, (row, d).

        Returns:
            `workspace` (row, workspace_dim), the decoded vector of each domain under its name (row, d), and `synergy`
            (row, target), the probability of each target by its decoders (of the mean logit), in the order of the
            targets that some decoder gives.
        """
        mixed = sum(share * self._through(f"encoders.{domain}", x[domain]) for domain, share in self.shares.items())
        workspace = np.tanh(mixed)
        out = {domain: self._through(f"decoders.{domain}", workspace) for domain in self.dims}
        logits: dict[int, list[np.ndarray]] = {}
        for domain, indices in self.targets.items():
            for column, index in enumerate(indices, start=self.dims[domain]):
                logits.setdefault(index, []).append(out[domain][:, column])
        means = [np.mean(logits[index], axis=0) for index in sorted(logits)]
        vectors = {domain: out[domain][:, :n] for domain, n in self.dims.items()}
        return {"workspace": workspace, **vectors, "synergy": np.stack([1 / (1 + np.exp(-m)) for m in means], axis=1)}

    def _through(self, name: str, x: np.ndarray) -> np.ndarray:
        hidden = np.asarray(x, np.float32)  # (row, fan_in)
        depth = 0
        while (weight := self.parameters.get(f"{name}.{depth}.weight")) is not None:
            hidden = np.maximum(hidden, 0) if depth else hidden
            hidden = hidden @ weight + self.parameters[f"{name}.{depth}.bias"]
            depth += 1
        return hidden  # (row, fan_out)
