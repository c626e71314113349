"""Compare one tracked run of the language-model study with a plain loop that trains the same model and logs nothing.

It measures what samples of text, the MLflow run and exports of one long run cost beside training.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jsonargparse import auto_cli

from benchmarks.plain_transformer import PlainLoop
from benchmarks.project import REPOSITORY, benchmark_project
from benchmarks.report import Figure, publish
from projects.language_model.config import Config, n_updates, shape_of
from projects.language_model.data import load_tokens
from projects.language_model.device import device_name, flops_per_token, open_device, peak_flops, synchronize
from projects.language_model.model import Transformer, count_parameters
from projects.language_model.state import Progress
from projects.language_model.train import measured_steps
from projects.language_model.updates import Updater, make_optimizer
from rothamsted.studies import run_by_hand
from rothamsted.studies.find import load_study

STUDY = REPOSITORY / "projects" / "language_model"
MOST_COST = 1.03  # of the plain loop's CPU time
N_UPDATES_IN_TURN = 10
N_WARM = 5  # updates before the first pair: imports, database tables, compiled kernels


class Taken(NamedTuple):
    """Holds what a training took."""

    wall_seconds: float
    cpu_seconds: float  # of all threads of this process

    @classmethod
    def since(cls, start: Taken) -> Taken:
        """Return what has passed since a reading of the clocks."""
        return cls(time.perf_counter() - start.wall_seconds, time.process_time() - start.cpu_seconds)

    @classmethod
    def now(cls) -> Taken:
        """Return a reading of both clocks."""
        return cls(time.perf_counter(), time.process_time())


def plain_run(config: Config) -> Taken:
    """Run a plain loop of as many updates, that looks at validation tokens as often."""
    at = set(measured_steps(config))
    loop = PlainLoop(config)
    synchronize(loop.device)
    began = Taken.now()
    for update in range(n_updates(config) + 1):
        if update in at:
            loop.look()
        if update < n_updates(config):
            loop.update(1)
    synchronize(loop.device)
    return Taken.since(began)


def update_costs(config: Config, n_stretches: int) -> np.ndarray:
    """Time updates of the study and of the plain loop in turn: (stretch, way, clock) seconds; study first, wall first.

    Both train beside each other in one process, a few updates at a time, so that what else the machine does meets both.
    """
    plain, device = PlainLoop(config), open_device(config)
    model = Transformer(shape_of(config), torch.Generator().manual_seed(config.seed)).to(device)
    now = Progress(model=model, optimizer=make_optimizer(model, config))
    updater = Updater(config, load_tokens(config), device, model)

    def study(n: int) -> None:
        updater.train_to(now, now.step + n)

    costs = np.empty((n_stretches + 1, 2, 2))
    for stretch in range(n_stretches + 1):  # the first warms both
        for is_plain in (True, False) if stretch % 2 else (False, True):
            synchronize(device)
            began = Taken.now()
            (plain.update if is_plain else study)(N_UPDATES_IN_TURN)
            synchronize(device)
            costs[stretch, int(is_plain)] = Taken.since(began)
    return costs[1:]


def update_figures(config: Config, costs: np.ndarray) -> list[Figure]:
    """Measure updates alone: tokens a second, share of the device's peak, and CPU time over the loop's."""
    n_tokens = N_UPDATES_IN_TURN * config.batch_size * config.context_length
    study, plain = n_tokens / np.median(costs[..., 0], axis=0)
    ratios = costs[:, 0, 1] / costs[:, 1, 1]
    note = f"median of {len(costs)} stretches"
    found = [
        Figure(name="updates: plain loop", value=float(plain), unit="tokens/s", note=_how(config)),
        Figure(name="updates: study", value=float(study), unit="tokens/s", note=note),
        Figure(
            name="an update: study / plain loop, CPU",
            value=float(np.median(ratios)),
            unit="x",
            at_most=MOST_COST,
            note=f"{note}; quartiles {_quartiles(ratios)}",
        ),
    ]
    return [*found, *_utilisation(config, float(study), "updates: model FLOP utilisation")]


def tracked_run(config: Config, folder: Path) -> Taken:
    """Run the study by hand: an MLflow run with all metrics, samples of text, exports and plots."""
    study = load_study(f"python -m projects.{STUDY.name}", REPOSITORY)
    began = Taken.now()
    ending = run_by_hand(study, config, root=folder)
    taken = Taken.since(began)
    if len(ending.history) != len(measured_steps(config)):
        raise RuntimeError(f"the run ended as {ending.outcome}: {ending.reason}")
    return taken


def figures(config: Config, updates: np.ndarray, plain: np.ndarray, tracked: np.ndarray) -> list[Figure]:
    """Return tokens a second of both, and what the study takes of the plain loop's time.

    Args:
        config: what was trained.
        updates: of `update_costs`.
        plain: (pair, 2) wall and CPU seconds of the loop.
        tracked: the same of the study.
    """
    n_tokens = n_updates(config) * config.batch_size * config.context_length
    n_all, n_multiplied = count_parameters(Transformer(shape_of(config)))
    wall, cpu = (tracked / plain).T
    return [
        Figure(name="parameters", value=n_all / 1e6, unit="M", note=f"{n_multiplied / 1e6:.3f} M without embedding"),
        Figure(name="plain loop", value=n_tokens / _median(plain), unit="tokens/s", note=_how(config)),
        Figure(name="study, tracked", value=n_tokens / _median(tracked), unit="tokens/s", note="the whole run"),
        *update_figures(config, updates),
        Figure(name="study / plain loop, wall", value=float(np.median(wall)), unit="x", note=_spread(wall)),
        Figure(
            name="study / plain loop, CPU",
            value=float(np.median(cpu)),
            unit="x",
            at_most=MOST_COST,
            note=_spread(cpu),
        ),
        *_utilisation(config, n_tokens / _median(tracked), "model FLOP utilisation"),
    ]


def main(
    *,
    config: Path | None = None,
    updates: int = 1000,
    eval_interval: int = 250,
    pairs: int = 3,
    stretches: int = 40,
    threads: int = 1,
    json_path: Path | None = None,
) -> None:
    """Compare the two, in turn, in one process.

    Args:
        config: a config file of the study; by default the study's defaults.
        updates: of each training.
        eval_interval: updates between two evaluations, each with a sample of text.
        pairs: how often both are measured; the order changes from pair to pair.
        stretches: of ten updates each, in which study and loop take turns.
        threads: of the CPU.
        json_path: write the figures here too.
    """
    torch.set_num_threads(threads)
    run = _config(config, updates, eval_interval)
    plain, tracked = np.empty((pairs, 2)), np.empty((pairs, 2))
    with benchmark_project(STUDY) as project:
        os.environ.update(project.environment())
        here = Path.cwd()
        os.chdir(project.root)
        try:
            warm = run.model_copy(update={"max_iterations": N_WARM, "warmup_iters": 1})
            plain_run(warm)
            tracked_run(warm, project.root)
            costs = update_costs(run, stretches)
            for pair in range(pairs):
                for is_plain in (True, False) if pair % 2 else (False, True):
                    if is_plain:
                        plain[pair] = plain_run(run)
                    else:
                        tracked[pair] = tracked_run(run, project.root)
        finally:
            os.chdir(here)
    publish("One training of the language_model study", figures(run, costs, plain, tracked), json_path)


def _config(path: Path | None, updates: int, eval_interval: int) -> Config:
    import yaml

    fields = {} if path is None else yaml.safe_load(path.read_text(encoding="utf-8"))
    own = {"max_iterations": updates, "eval_interval": eval_interval, "log_interval": eval_interval}
    warmup = min(updates, fields.get("warmup_iters", Config().warmup_iters))
    return Config(**{**fields, **own, "warmup_iters": warmup, "checkpoint_interval": None})


def _median(taken: np.ndarray) -> float:
    """Of the wall seconds."""
    return float(np.median(taken[:, 0]))


def _utilisation(config: Config, tokens_a_second: float, name: str) -> list[Figure]:
    """None where the device's peak is not known."""
    device = open_device(config)
    peak = peak_flops(device_name(device), config.dtype)
    if peak is None:
        return []
    _, n_multiplied = count_parameters(Transformer(shape_of(config)))
    used = flops_per_token(shape_of(config), n_multiplied) * tokens_a_second / peak
    return [Figure(name=name, value=100 * used, unit="%", note=device_name(device))]


def _quartiles(ratios: np.ndarray) -> str:
    low, high = np.quantile(ratios, [0.25, 0.75])
    return f"{low:.3f} to {high:.3f}"


def _spread(ratios: np.ndarray) -> str:
    return f"median of {len(ratios)} pairs in turn; {ratios.min():.3f} to {ratios.max():.3f}"


def _how(config: Config) -> str:
    return json.dumps(
        {name: getattr(config, name) for name in ("d_model", "num_layers", "batch_size", "max_iterations")}
    )


if __name__ == "__main__":
    auto_cli(main)
