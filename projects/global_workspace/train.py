"""Run the training loop: yield measurements, go on from a state, return trained models.

It follows the study contract of docs/design.md. `program` and `readouts` have the computations.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from projects.files.problem import DataProblem
from projects.global_workspace.arrays import Arrays, device_arrays, first_rows
from projects.global_workspace.batches import free_rows, pair_rows
from projects.global_workspace.config import Config
from projects.global_workspace.data.dataset import Split, WorkspaceData
from projects.global_workspace.data.load import load_data
from projects.global_workspace.losses import Coefficients, Rows
from projects.global_workspace.model import fixed_shares, initial_parameters, mask_of
from projects.global_workspace.population import shared_static_key
from projects.global_workspace.program import METRIC_NAMES, Hyper, Program, compiled_program
from projects.global_workspace.readouts import readout_names, readouts
from projects.global_workspace.state import Progress, flat_state, restored, with_kept
from projects.global_workspace.trained import TrainedModel
from projects.training.batches import rows_seen, steps_per_epoch
from projects.training.loop import measured
from projects.training.measured import evenly_measured
from projects.training.measurement import Measurement
from projects.training.state import kept_in
from projects.training.trees import stacked

N_EXAMPLE_ROWS = 5


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement | None, None, list[TrainedModel]]:
    """Train one member, or a population in one compiled call.

    The first measurement is at step 0, before any update; then `evals` follow, evenly spaced, the last after the last
    step. It ends early when every member has diverged. After a resume it yields None first, when everything is set up.

    Metrics are those of `program.METRIC_NAMES`, validation/best_loss (the lowest so far, step 0 left out),
    samples_seen, and after the last step those of `readouts.readout_names` on validation rows, NaN before.

    Args:
        configs: The members, with equal `population.static_key`.
        state: State of a measurement; training goes on right after it, with the same numbers.

    Raises:
        ValueError: Configs cannot share a call, or the state is of another population.
        DataProblem: The data cannot be used, or a batch or the pairs are more than the training rows.
    """
    run = _Run.of(configs)
    now = run.start()
    if state is not None:
        now = restored(now, state)
    kept = kept_in(state or {})
    run.warm_up(now)
    if state is not None:
        yield None
    now = yield from measured(run, now, kept, flat_state, is_resumed=state is not None)
    return run.models(with_kept(now, kept))


class _Run(NamedTuple):
    """What stays the same from the first step to the last."""

    configs: Sequence[Config]
    key: Config
    data: WorkspaceData
    n_steps: int
    program: Program
    hyper: Hyper
    seeds: np.ndarray  # () or (member,)

    @classmethod
    def of(cls, configs: Sequence[Config]) -> _Run:
        key = shared_static_key(configs)
        data = load_data(key.data)
        _check_rows(configs, data.train.n)
        n_steps = key.training.epochs * steps_per_epoch(key.training.batch_size, data.train.n)
        dims = tuple(sorted(data.dims.items()))
        program = compiled_program(
            key,
            dims=dims,
            n_steps=n_steps,
            is_population=len(configs) > 1,
            has_part=data.train.n % key.training.batch_size > 0,
        )
        hyper = stacked([_hyper(config) for config in configs])
        return cls(configs, key, data, n_steps, program, hyper, stacked([np.uint32(c.seed) for c in configs]))

    def measured_steps(self) -> list[int]:
        return evenly_measured(self.key.evals, self.n_steps)

    def epoch(self, step: int) -> float:
        return self._rows_until(step) / self.data.train.n

    def _rows_until(self, step: int) -> int:
        return rows_seen(step, self.key.training.batch_size, self.data.train.n)

    def start(self) -> Progress:
        parameters = jax.device_put(stacked([initial_parameters(config, self.data.dims) for config in self.configs]))
        n_members = len(self.configs)
        return Progress(0, self.program.start(parameters), np.zeros(n_members, bool), np.full(n_members, np.nan))

    def warm_up(self, now: Progress) -> None:
        """Compile all that training calls: nothing is updated, and what is measured is let go."""
        self._updated(now, now.step)
        self._looks(now, self._arrays().validation)

    def advance(self, now: Progress, step: int) -> tuple[Progress, dict[str, np.ndarray]]:
        members, numbers = self._updated(now, step)
        values = np.asarray(numbers).reshape(len(self.configs), -1)  # (member, metric + 1)
        metrics = dict(zip(METRIC_NAMES, values.T[:-1].astype(np.float64), strict=True))
        diverged = now.diverged | (values[:, -1] != 1)
        best = np.fmin(now.best_loss, metrics["validation/loss"]) if step else now.best_loss
        progress = Progress(step, members, diverged, best)
        metrics["validation/best_loss"] = best.copy()
        metrics["samples_seen"] = np.full(len(values), float(self._rows_until(step)))
        is_over = step == self.n_steps
        found = self._readouts(progress, self.data.validation, self._arrays().validation) if is_over else {}
        nothing = np.full(len(self.configs), np.nan)
        return progress, metrics | {name: found.get(name, nothing) for name in readout_names(self.key)}

    def models(self, now: Progress) -> list[TrainedModel]:
        """The models of a population, with what is read out of their workspaces on test rows."""
        arrays, found = flat_state(now, {}), self._readouts(now, self.data.test, self._arrays().test)
        names = {name: f"test/{name.removeprefix('readout/')}" for name in found}
        return [
            self._model(arrays, member, {names[name]: float(own[member]) for name, own in found.items()})
            for member in range(len(self.configs))
        ]

    def _updated(self, now: Progress, step: int) -> tuple[Any, jax.Array]:
        rows, pairs = self._rows(now.step, step - now.step)
        first, n_updates = np.int32(now.step), np.int32(step - now.step)
        return self.program.advance(now.members, self.hyper, self.seeds, rows, pairs, self._arrays(), first, n_updates)

    def _looks(self, now: Progress, rows: Rows) -> list[Any]:
        """What each member makes of the rows that probes are fitted on, and of some others."""
        parameters, parts = now.members.parameters, (first_rows(self._arrays().train, self.key.probe_rows), rows)
        return [jax.device_get(self.program.look(parameters, self.hyper.mask, part)) for part in parts]

    def _readouts(self, now: Progress, split: Split, rows: Rows) -> dict[str, np.ndarray]:
        """What is read out of each member's workspace on some rows; NaN where it diverged."""
        found = {name: np.full(len(self.configs), np.nan) for name in readout_names(self.key)}
        looks = self._looks(now, rows)
        for member in np.flatnonzero(~now.diverged).tolist():
            own = looks if len(self.configs) == 1 else [_member(look, member) for look in looks]
            for name, value in readouts(self.configs[member], self.data, split, *own).items():
                found[name][member] = value
        return found

    def _arrays(self) -> Arrays:
        return device_arrays(self.key.data, self.data.digest)

    def _rows(self, first_step: int, n_steps: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows and matched rows of the coming batches, ([member,] step, row), padded to one shape."""
        longest = max(after - before for before, after in pairwise(self.measured_steps()))
        n_train, size = self.data.train.n, self.key.training.batch_size
        rows, pairs = [], []
        for config in self.configs:
            own = free_rows(config.seed, first_step, n_steps, size, n_train)
            rows.append(_padded(own, longest))
            if (n_pairs := config.training.n_pairs) is not None:
                pairs.append(_padded(pair_rows(config.seed, first_step, n_steps, size, n_pairs, n_train), longest))
        return stacked(rows), stacked(pairs) if pairs else None

    def _model(self, arrays: Mapping[str, np.ndarray], member: int, test: Mapping[str, float]) -> TrainedModel:
        prefix, width = "parameters/", self.configs[member].model.workspace_dim
        parameters = {
            name.removeprefix(prefix).replace("/", "."): array[member]
            for name, array in arrays.items()
            if name.startswith((f"{prefix}encoders", f"{prefix}decoders"))
        }
        depth = self.key.model.n_layers + 1
        for domain in self.data.dims:  # the padding of a workspace stays behind
            for name in (f"encoders.{domain}.{depth}.weight", f"encoders.{domain}.{depth}.bias"):
                parameters[name] = parameters[name][..., :width]
            parameters[f"decoders.{domain}.0.weight"] = parameters[f"decoders.{domain}.0.weight"][:width]
        return TrainedModel(
            parameters=parameters,
            shares=fixed_shares(self.key),
            dims=dict(self.data.dims),
            targets={domain: self.key.targets_of(domain) for domain in self.data.dims},
            test_metrics=test,
            input_example={domain: x[:N_EXAMPLE_ROWS] for domain, x in self.data.test.domains.items()},
        )


def _check_rows(configs: Sequence[Config], n_train: int) -> None:
    for config in configs:
        n_pairs = config.training.n_pairs or 0
        for name, n in {"batch_size": config.training.batch_size, "n_pairs": n_pairs}.items():
            if n > n_train:
                raise DataProblem(
                    f"training.{name}: {n} is more than the {n_train} training rows; make it smaller or "
                    "data.n_train larger"
                )


def _hyper(config: Config) -> Hyper:
    optimizer, weights = config.training.optimizer, config.training.loss_configs.weights
    values = {**weights.model_dump(), "synergy": config.synergy.loss_scale}
    coefficients = Coefficients(**{name: np.float32(value) for name, value in values.items()})  # type: ignore[arg-type]
    return Hyper(np.float32(optimizer.lr), np.float32(optimizer.weight_decay), coefficients, mask_of(config))  # type: ignore[arg-type]


def _member(tree: Any, member: int) -> Any:
    """One member's part of a population's arrays."""
    return jax.tree.map(lambda x: x[member], tree)


def _padded(rows: np.ndarray, n_steps: int) -> np.ndarray:
    return np.pad(rows, ((0, n_steps - len(rows)), (0, 0)))
