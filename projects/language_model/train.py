"""Run the training loop: yield measurements, go on from a state, return the trained model.

It follows the study contract of docs/design.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from projects.language_model.artifacts import kept_weights, written_text
from projects.language_model.config import Config, n_updates, shape_of
from projects.language_model.data import Tokens, load_tokens
from projects.language_model.device import (
    device_name,
    flops_per_token,
    loss_scaler,
    open_device,
    peak_flops,
    peak_memory_mib,
)
from projects.language_model.evaluate import Validation, measure_test, validate
from projects.language_model.model import Transformer, count_parameters
from projects.language_model.state import Progress, array_of, flat_state, put_weights, restore
from projects.language_model.trained import EXAMPLES, TrainedModel
from projects.language_model.updates import Stretch, Updater, make_optimizer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Holds one measurement of the one member.

    `metrics`, each an array of one value: train_loss (mean over the updates since the last measurement, each before
    it), val_loss, val_perplexity, val_bits_per_byte (NaN between evaluations; absent without a vocabulary),
    learning_rate and grad_norm (of the last update, before clipping), tokens_seen, samples_seen (sequences),
    parameters, parameters_without_embedding; at step 0 loss and gradient are those of the first batch. Measured on the
    machine, so that equal runs differ in them: tokens_per_second (of training alone), peak_memory_mib, and mfu, which
    is there where the device's peak is known.
    """

    step: int
    epoch: float | None  # training tokens seen / training tokens
    metrics: dict[str, np.ndarray]  # name -> (1,)
    diverged: np.ndarray  # (1,) bool: a loss was NaN or infinite
    state: Callable[[], dict[str, np.ndarray]]
    artifacts: Callable[[], list[dict[str, str | bytes]]]
    keep: Callable[[np.ndarray], None]  # the model gets the weights of the step at which this was called last


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement | None, None, list[TrainedModel]]:
    """Train one transformer.

    The first measurement is at step 0, before any update; the others follow at multiples of `log_interval`,
    `eval_interval` and `checkpoint_interval`, the last after the last update. Ends early when it has diverged. After
    a resume None comes first, when everything is set up.

    Args:
        configs: One config; a population has one member.
        state: From a measurement; training goes on right after it, with the same numbers.

    Raises:
        ValueError: There are several configs, or the state is of another model.
        DataProblem: The data cannot be used.
        DeviceProblem: The machine cannot do what the config asks for.
    """
    if len(configs) != 1:
        raise ValueError(f"train: {len(configs)} configs were given; transformers are trained one at a time")
    run = _Run.of(configs[0])
    now = run.start()
    updater = Updater(run.config, run.tokens, run.device, now.model)
    if state is not None:
        restore(now, state)
        updater.warm_up(now)
        yield None
    for step in measured_steps(run.config):
        if now.has_diverged:
            break
        if step == 0 and state is None:
            yield run.measured(now, updater.look(now))
        elif step > now.step:
            yield run.measured(now, updater.train_to(now, step))
    return [run.trained(now)]


def measured_steps(config: Config) -> list[int]:
    """Return the steps at which a run is measured, in order."""
    intervals = filter(None, (config.log_interval, config.eval_interval, config.checkpoint_interval))
    last = n_updates(config)
    within = {step for interval in intervals for step in range(0, last, interval)}
    return sorted(within | {0, last})


class _Run(NamedTuple):
    """What stays the same from the first step to the last."""

    config: Config
    device: torch.device
    tokens: Tokens
    peak: float | None  # FLOP/s of the device

    @classmethod
    def of(cls, config: Config) -> _Run:
        device = open_device(config)
        tokens = load_tokens(config)
        if tokens.why_no_text:
            _log.warning("%s", tokens.why_no_text)
        return cls(config, device, tokens, peak_flops(device_name(device), config.dtype))

    def start(self) -> Progress:
        model = Transformer(shape_of(self.config), torch.Generator().manual_seed(self.config.seed))
        model = model.to(self.device, torch.float64 if self.config.dtype == "float64" else torch.float32)
        scaler = loss_scaler(self.config, self.device)
        return Progress(model=model, optimizer=make_optimizer(model, self.config), scaler=scaler)

    def measured(self, now: Progress, stretch: Stretch) -> Measurement:
        """Evaluate where it is time, and put everything together."""
        found = self._validation(now)
        now.has_diverged = not math.isfinite(stretch.train_loss) or (
            found is not None and not math.isfinite(found.loss)
        )
        metrics = self._metrics(now, stretch, found)
        return Measurement(
            step=now.step,
            epoch=metrics["tokens_seen"] / len(self.tokens.train),
            metrics={name: np.array([float(value)]) for name, value in metrics.items()},
            diverged=np.array([now.has_diverged]),
            state=partial(flat_state, now),
            artifacts=partial(self._artifacts, now, found),
            keep=partial(_keep, now),
        )

    def trained(self, now: Progress) -> TrainedModel:
        """The model, of the weights that were kept; training is over, and the network gets them."""
        put_weights(now.model, now.kept)
        found = measure_test(now.model, self.tokens, self.config, self.device)
        return TrainedModel(
            shape=now.model.shape,
            parameters={name: array_of(parameter) for name, parameter in now.model.named_parameters()},
            test_metrics={} if found is None else _named("test/", found),
            tokenizer_json=self.tokens.tokenizer_json,
            end_token=self.tokens.end,
            input_example=self._example(),
        )

    def _example(self) -> np.ndarray:
        """Prompts, or the first validation tokens where nobody can write one."""
        return np.array(EXAMPLES) if self.tokens.tokenizer_json else np.array(self.tokens.val[:2], np.int64)[None]

    @property
    def _nothing_found(self) -> Validation:
        return Validation(math.nan, math.nan, None if self.tokens.bytes_of is None else math.nan)

    def _validation(self, now: Progress) -> Validation | None:
        is_due = now.step % self.config.eval_interval == 0 or now.step == n_updates(self.config)
        return validate(now.model, self.tokens, self.config, self.device) if is_due else None

    def _metrics(self, now: Progress, stretch: Stretch, found: Validation | None) -> dict[str, float]:
        n_all, n_multiplied = count_parameters(now.model)
        n_sequences = now.step * self.config.batch_size
        metrics = {
            "train_loss": stretch.train_loss,
            **_named("val_", found or self._nothing_found),
            "learning_rate": stretch.learning_rate,
            "grad_norm": stretch.grad_norm,
            "samples_seen": n_sequences,
            "tokens_seen": n_sequences * self.config.context_length,
            "tokens_per_second": stretch.tokens_per_second,
            "peak_memory_mib": peak_memory_mib(self.device),
            "parameters": n_all,
            "parameters_without_embedding": n_multiplied,
        }
        if self.peak is not None:
            metrics["mfu"] = stretch.tokens_per_second * flops_per_token(now.model.shape, n_multiplied) / self.peak
        return metrics

    def _artifacts(self, now: Progress, found: Validation | None) -> list[dict[str, str | bytes]]:
        val_loss = math.nan if found is None else found.loss
        is_kept = now.kept_step == now.step
        weights = kept_weights(now.model, self.config, step=now.step, val_loss=val_loss, is_kept=is_kept)
        is_readable = found is not None and not now.has_diverged
        text = written_text(now.model, self.tokens, self.config, now.step) if is_readable else {}
        return [{**weights, **text}]


def _named(prefix: str, found: Validation) -> dict[str, float]:
    """The parts of an evaluation by the names of their metrics; what cannot be known is left out."""
    return {f"{prefix}{name}": value for name, value in found._asdict().items() if value is not None}


def _keep(now: Progress, mask: np.ndarray) -> None:
    if mask[0]:
        now.kept_step = now.step
        now.kept = {name: array_of(parameter) for name, parameter in now.model.named_parameters()}
