"""Train one member of a population: its network, its updates, its measurements, and its state as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from projects.emnist_mlp.config import Config
from projects.emnist_mlp.data.dataset import Rows
from projects.emnist_mlp.distort import Strength, distort
from projects.emnist_mlp.network import Network
from projects.emnist_mlp.streams import Purpose, generator_of
from projects.emnist_mlp.trained import TrainedModel
from projects.emnist_mlp.updates import decay, lr_at, make_rule, penalty
from projects.training.batches import batch_rows, steps_per_epoch

N_EXAMPLE_ROWS = 5
_CHUNK_ROWS = 4096  # measured at a time


class Placed(NamedTuple):
    """Holds rows on the device."""

    x: torch.Tensor  # uint8 (row, 28, 28)
    y: torch.Tensor  # int64 (row,)


class Arrays(NamedTuple):
    """Holds the data of a run, shared by its members."""

    train: Placed
    measured: dict[str, Placed]  # name of the part -> rows that it is measured on
    test: Placed  # looked at once, at the end
    classes: tuple[str, ...]
    mean: float  # of the training pixels, 0 to 1
    sd: float


def placed(rows: Rows, device: str) -> Placed:
    """Return rows as tensors on a device; the arrays themselves stay as they are."""
    return Placed(torch.from_numpy(np.array(rows.x)).to(device), torch.from_numpy(np.array(rows.y)).to(device))


class Member:
    """Runs one training, step by step. Equal configs give equal bits; nothing depends on another member."""

    def __init__(self, config: Config, arrays: Arrays, n_steps: int) -> None:
        """At step 0, with the weights that the config's seed draws."""
        self._config, self._arrays, self._n_steps = config, arrays, n_steps
        self._strength = Strength(config.augment.affine, config.augment.elastic, config.augment.noise)
        self._n_train = len(arrays.train.y)
        self._epoch: tuple[int, torch.Tensor] | None = None  # the present one, and its rows (step, row)
        self._network = Network(
            n_inputs=arrays.train.x[0].numel(),
            hidden_dims=config.model.hidden_dims,
            n_classes=len(arrays.classes),
            activation=config.model.activation,
            generator=generator_of(config.seed, Purpose.WEIGHTS, 0),
        ).to(config.device)
        self._named = dict(self._network.named_parameters())
        self._weights = self._network.weights()
        self._rule = make_rule(list(self._named.values()), config.optimizer)
        self._kept: dict[str, torch.Tensor] = {}  # of the step that counts; empty: of the last

    def step(self, index: int) -> None:
        """Do the update after `index` others."""
        config = self._config
        x, y = self.batch(index)
        generator = generator_of(config.seed, Purpose.DROPOUT, index, config.device) if config.model.dropout else None
        scores = self._network(self._standardised(x), config.model.dropout, generator)
        loss = torch.nn.functional.cross_entropy(scores, y, label_smoothing=config.regularization.label_smoothing)
        loss = loss + penalty(self._weights, config.regularization)
        lr = lr_at(config.optimizer, index, self._n_steps)
        for group in self._rule.param_groups:
            group["lr"] = lr
        self._rule.zero_grad()
        loss.backward()
        decay(self._weights, config.optimizer, lr)
        self._rule.step()

    def batch(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images (row, 28, 28), 0 to 1, distorted as the config says, and classes (row,) of one update."""
        size = self._config.batch_size
        n_steps = steps_per_epoch(size, self._n_train)
        epoch, offset = divmod(index, n_steps)
        if self._epoch is None or self._epoch[0] != epoch:
            stream = [self._config.seed, Purpose.BATCHES]
            rows = batch_rows(stream, epoch * n_steps, n_steps, size, self._n_train, ends_with_epoch=True)
            self._epoch = epoch, torch.from_numpy(rows).long().to(self._config.device)
        rows = self._epoch[1][offset, : self._n_train - offset * size]  # of the last batch those that there are
        x = self._arrays.train.x[rows].float().div_(255)
        if self._config.augment.is_on:
            generator = generator_of(self._config.seed, Purpose.DISTORTION, index, self._config.device)
            x = distort(x, self._strength, generator)
        return x, self._arrays.train.y[rows]

    def measure(self, n_done: int) -> dict[str, float]:
        """Measure losses (only cross-entropy) and accuracies without dropout and distortions, and derived metrics."""
        found = {}
        for name, rows in self._arrays.measured.items():
            found[f"{name}/loss"], found[f"{name}/accuracy"] = self._measure_part(rows)
        found["gap/accuracy"] = found["train/accuracy"] - found["validation/accuracy"]
        found["learning_rate"] = lr_at(self._config.optimizer, max(n_done - 1, 0), self._n_steps)
        with torch.no_grad():
            found["weight_norm"] = math.sqrt(sum(float(weight.square().sum()) for weight in self._weights))
        return found

    def state(self) -> dict[str, np.ndarray]:
        """Return the parameters and the optimiser's state of each, by name, right after a measurement."""
        arrays: dict[str, torch.Tensor] = {f"parameters/{name}": value for name, value in self._named.items()}
        for name, value in self._named.items():
            for key, kept in self._rule.state.get(value, {}).items():
                if torch.is_tensor(kept):
                    arrays[f"rule/{name}/{key}"] = kept
        arrays |= {f"kept/{name}": value for name, value in self._kept.items()}
        return {name: value.detach().cpu().numpy().copy() for name, value in arrays.items()}

    def keep(self) -> None:
        """Keep the present weights for the model."""
        self._kept = {name: value.detach().clone() for name, value in self._named.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state.

        Raises:
            ValueError: The state is of another network.
        """
        for name, value in self._named.items():
            found = state.get(f"parameters/{name}")
            if found is None or found.shape != tuple(value.shape):
                shape = None if found is None else list(found.shape)
                raise ValueError(
                    f"state: {name} is {shape} where this config has {list(value.shape)}; start without a state"
                )
            with torch.no_grad():
                value.copy_(torch.from_numpy(np.array(found)))
            prefix = f"rule/{name}/"
            kept = {key.removeprefix(prefix): kept for key, kept in state.items() if key.startswith(prefix)}
            if kept:
                self._rule.state[value] = {key: torch.from_numpy(np.array(kept[key])).to(value.device) for key in kept}
            if f"kept/{name}" in state:
                self._kept[name] = torch.from_numpy(np.array(state[f"kept/{name}"])).to(value.device)

    def model(self, example: np.ndarray) -> TrainedModel:
        """Return the trained model; `example` are images, uint8 (row, 28, 28).

        Ends training: the network gets its weights.
        """
        with torch.no_grad():
            for name, value in self._kept.items():
                self._named[name].copy_(value)
        test_loss, test_accuracy = self._measure_part(self._arrays.test)
        return TrainedModel(
            parameters={name: value.detach().cpu().numpy().copy() for name, value in self._named.items()},
            activation=self._config.model.activation,
            mean=self._arrays.mean,
            sd=self._arrays.sd,
            classes=self._arrays.classes,
            test_metrics={"test/loss": test_loss, "test/accuracy": test_accuracy},
            input_example=example.reshape(len(example), -1).astype(np.float32) / 255,
        )

    def _standardised(self, x: torch.Tensor) -> torch.Tensor:
        """(row, 28, 28) of 0 to 1 -> (row, pixel) of mean 0 and deviation 1, in place: each new array costs time."""
        return x.flatten(1).sub_(self._arrays.mean).div_(self._arrays.sd)

    @torch.no_grad()
    def _measure_part(self, rows: Placed) -> tuple[float, float]:
        loss, n_right = 0.0, 0
        for start in range(0, len(rows.y), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            scores = self._network(self._standardised(rows.x[chunk].float().div_(255)))
            loss += float(torch.nn.functional.cross_entropy(scores, rows.y[chunk], reduction="sum"))
            n_right += int((scores.argmax(dim=1) == rows.y[chunk]).sum())
        return loss / len(rows.y), n_right / len(rows.y)
