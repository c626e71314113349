"""Run the training loop: yield measurements, go on from a state, return trained models.

It follows the study contract of docs/design.md. `program` has the computations.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import jax
import numpy as np

from projects.batch_size.arrays import Arrays, device_arrays
from projects.batch_size.config import Config, precision_of, shared_static_key
from projects.batch_size.data import DataProblem, Dataset, load_dataset
from projects.batch_size.model import initial_parameters
from projects.batch_size.optimizer import Hyper
from projects.batch_size.program import Origin, Program, compiled_program
from projects.batch_size.state import Progress, flat_state, restored
from projects.batch_size.tested import metrics_on_test_rows
from projects.batch_size.trained import TrainedModel
from projects.training.batches import batch_rows, n_rows_of
from projects.training.loop import measured
from projects.training.measured import evenly_measured
from projects.training.measurement import Measurement
from projects.training.state import Kept, kept_in
from projects.training.trees import stacked

N_EXAMPLE_ROWS = 5
_BATCHES = 1  # a stream of the seed; 0 draws the initial weights


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement | None, None, list[TrainedModel]]:
    """Train one member, or a population in one compiled call.

    The first measurement is at step 0, before any update; then `evals` follow, evenly spaced, the last after the last
    step. It ends early when every member has diverged. After a resume it yields None first, when everything is set up.

    Metrics are train_loss and train_accuracy (on at most 1,024 training rows; online data draw rows for it), val_loss
    and val_accuracy, learning_rate (of the last update), grad_norm (of the measured training loss), weight_norm,
    samples_seen. With a target_loss there are also steps_to_target and samples_to_target, NaN until val_loss is at or
    below it. There are accuracies only for classes.

    Args:
        configs: The members, with equal `static_key`.
        state: State of a measurement; training goes on right after it, with the same numbers.

    Raises:
        ValueError: Configs cannot share a call, or the state is of another population.
        DataProblem: The data cannot be used, or the batch is larger than the training set.
    """
    run = _Run.of(configs)
    now = run.start()
    if state is not None:
        now = restored(now, state)
    now, kept = run.with_origin_outputs(now), kept_in(state or {})
    if state is not None:
        run.advance(now, now.step)  # no update: it is compiled before the clock of training starts
        yield None
    now = yield from measured(run, now, kept, flat_state, is_resumed=state is not None)
    return run.models(now, kept)


class _Run(NamedTuple):
    """What stays the same from the first step to the last."""

    configs: Sequence[Config]
    key: Config
    data: Dataset
    n_steps: int
    n_rows: int  # that the run sees, each as often as it is seen
    program: Program
    hyper: Hyper
    seeds: np.ndarray  # () or (member,)

    @classmethod
    def of(cls, configs: Sequence[Config]) -> _Run:
        key = shared_static_key(configs)
        data = load_dataset(key.data)
        n_steps, n_rows = _length(key, data)
        program = compiled_program(
            key,
            n_features=data.train_x.shape[1],
            n_outputs=data.n_classes or data.train_y.shape[1],
            n_steps=n_steps,
            has_classes=data.n_classes is not None,
            is_population=len(configs) > 1,
            has_part=n_rows < n_steps * key.batch_size,
        )
        hyper = stacked([_hyper(config) for config in configs])
        seeds = stacked([np.uint32(config.seed) for config in configs])
        return cls(configs, key, data, n_steps, n_rows, program, hyper, seeds)

    def measured_steps(self) -> list[int]:
        return evenly_measured(self.key.evals, self.n_steps)

    def epoch(self, step: int) -> float | None:
        return None if self.key.data.online else float(self._rows_until(step)) / len(self.data.train_x)

    def start(self) -> Progress:
        dtype = np.dtype(precision_of(self.key))
        drawn = [initial_parameters(config, self.program.scales, dtype) for config in self.configs]
        with self._precision():
            parameters = jax.device_put(stacked(drawn))
            members = self.program.start(parameters, self.hyper)
        n_members = len(self.configs)
        origin = Origin(parameters if self.key.centered else None, None)
        return Progress(0, members, origin, np.zeros(n_members, bool), np.full(n_members, np.nan))

    def with_origin_outputs(self, now: Progress) -> Progress:
        """Compute f(x; theta_0) on all rows once, where training will see most of them more than once."""
        is_one_pass = self.n_steps * self.key.batch_size < len(self.data.train_x)
        if now.origin.parameters is None or self.key.data.online or is_one_pass:
            return now
        with self._precision():
            outputs = self.program.origin_outputs(now.origin.parameters, self._arrays())
        return now._replace(origin=now.origin._replace(outputs=outputs))

    def advance(self, now: Progress, step: int) -> tuple[Progress, dict[str, np.ndarray]]:
        rows = self._rows(now.step, step - now.step)
        with self._precision():
            members, numbers = self.program.advance(
                now.members,
                now.origin,
                self.hyper,
                self.seeds,
                rows,
                self._arrays(),
                np.int32(now.step),
                np.int32(step - now.step),
            )
            values = np.asarray(numbers).reshape(len(self.configs), -1)  # (member, metric + 1)
        metrics = dict(zip(self.program.metric_names, values.T[:-1].astype(np.float64), strict=True))
        metrics["samples_seen"] = np.full(len(values), float(self._rows_until(step)))
        reached = self._steps_to_target(now.steps_to_target, metrics["val_loss"], step)
        if self.key.target_loss is not None:
            metrics["steps_to_target"] = reached
            metrics["samples_to_target"] = np.minimum(reached * self.key.batch_size, self.n_rows)  # NaN stays NaN
        diverged = now.diverged | (values[:, -1] != 1)
        return Progress(step, members, now.origin, diverged, reached), metrics

    def models(self, now: Progress, kept: Kept) -> list[TrainedModel]:
        arrays, found = flat_state(now, {}), []
        for member in range(len(self.configs)):
            last = {
                name: array[member] for name, array in arrays.items() if name.startswith(("parameters/", "origin/"))
            }
            model = self._model({**last, **kept.get(member, {})}, member)
            found.append(replace(model, test_metrics=metrics_on_test_rows(model, self.data, self.key.loss)))
        return found

    def _precision(self):
        return jax.enable_x64(precision_of(self.key) == "float64")

    def _arrays(self) -> Arrays:
        return device_arrays(self.key.data, self.data.digest, precision_of(self.key))

    def _rows(self, first_step: int, n_steps: int) -> np.ndarray | None:
        """Rows of the coming batches, ([member,] step, row), padded to one shape; None if online."""
        if self.key.data.online:
            return None
        shape = (_longest_stretch(self.measured_steps()), self.key.batch_size)
        of_seed = {}
        for seed in {config.seed for config in self.configs}:
            of_seed[seed] = np.zeros(shape, np.int32)
            of_seed[seed][:n_steps] = batch_rows(
                [seed, _BATCHES], first_step, n_steps, self.key.batch_size, len(self.data.train_x), self.n_rows
            )
        return stacked([of_seed[config.seed] for config in self.configs])

    def _rows_until(self, step: int) -> int:
        return min(step * self.key.batch_size, self.n_rows)

    def _steps_to_target(self, so_far: np.ndarray, val_loss: np.ndarray, step: int) -> np.ndarray:
        if self.key.target_loss is None:
            return so_far
        return np.where(np.isnan(so_far) & (val_loss <= self.key.target_loss), float(step), so_far)

    def _model(self, arrays: Mapping[str, np.ndarray], member: int) -> TrainedModel:
        parameters = {}
        for tree, prefix in {"parameters": "", "origin": "initial."}.items():
            for name in (name for name in arrays if name.startswith(f"{tree}/")):
                _, layer, part = name.split("/")
                parameters[f"{prefix}layer_{layer}.{part}"] = arrays[name]
        return TrainedModel(
            parameters=parameters,
            multipliers=tuple(scale.multiplier for scale in self.program.scales),
            gamma=self.configs[member].gamma,
            activation=self.key.activation,
            test_metrics={},
            input_example=self.data.val_x[:N_EXAMPLE_ROWS],
        )


def _length(config: Config, data: Dataset) -> tuple[int, int]:
    """Updates, and the rows that they see; with epochs the last update has the rows that are left."""
    n_train = len(data.train_x)
    if config.data.online:
        return config.steps, config.steps * config.batch_size
    if config.batch_size > n_train:
        raise DataProblem(
            f"batch_size: {config.batch_size} rows a step is more than the {n_train} training rows of "
            f"{config.data.name!r}; make it smaller or data.n_train larger"
        )
    if config.epochs is None:
        return config.steps, config.steps * config.batch_size
    n_rows = n_rows_of(config.epochs, n_train)
    return -(-n_rows // config.batch_size), n_rows


def _longest_stretch(steps: Sequence[int]) -> int:
    return max(after - before for before, after in pairwise(steps))


def _hyper(config: Config) -> Hyper:
    dtype = np.dtype(precision_of(config)).type
    own = config.optimizer
    return Hyper(*map(dtype, (own.lr, config.gamma, own.momentum, own.beta1, own.beta2, own.weight_decay)))
