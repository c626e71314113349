"""Run the training loop: one measurement for each epoch, go on from a state, return the trained model.

It follows the study contract of docs/design.md. `epoch` trains one epoch.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from projects.files.problem import DataProblem
from projects.image_classifier.config import Config
from projects.image_classifier.data.dataset import ImageSet
from projects.image_classifier.data.load import load_images
from projects.image_classifier.device import Images, on_device, settle
from projects.image_classifier.epoch import EpochResult, steps_per_epoch, train_epoch, training_batch
from projects.image_classifier.evaluate import Scores, evaluate
from projects.image_classifier.leavings import ending_files, first_batch_png, weights_file
from projects.image_classifier.network import family_settings, start_network, start_optimizer
from projects.image_classifier.progress import Progress
from projects.image_classifier.randomness import Stream, generator_of, order_of
from projects.image_classifier.scaling import channel_scaling, standardized
from projects.image_classifier.schedule import lr_factor
from projects.image_classifier.state import Weights, copied_weights, flat_state, restore
from projects.image_classifier.trained import TrainedModel
from projects.pictures.confusion import class_accuracy, macro_f1

N_EXAMPLE_ROWS = 5
MOST_CLASS_METRICS = 20  # classes; of more, accuracies are in the table classes.csv alone

Files = Mapping[str, str | bytes]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Holds one measurement, after an epoch.

    `metrics` are val_loss, val_accuracy, val_f1 (mean over classes) and class_accuracy/NAME on all validation images;
    train_loss and train_accuracy, measured likewise on as many training images, and generalization_gap (train less
    val accuracy); batch_loss (mean over the epoch's augmented batches), learning_rate (of the last update),
    samples_seen; best_val_loss, best_val_accuracy, best_epoch (by `monitor`), epochs_to_90 (the first epoch at 90 %
    of the best accuracy) and val_accuracy_sd (over the last third of the epochs), all so far; grad_norm where
    gradients are cut.
    """

    step: int
    epoch: float
    metrics: dict[str, np.ndarray]  # name -> (1,)
    diverged: np.ndarray  # (1,) bool: a training or validation loss was NaN or infinite
    state: Callable[[], dict[str, np.ndarray]]
    artifacts: Callable[[], Sequence[Files]] | None
    keep: Callable[[np.ndarray], None]  # the model gets the weights of the epoch at which this was called last


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement | None, None, list[TrainedModel]]:
    """Train one network, and measure it after every epoch; None comes first, when everything is set up.

    Args:
        configs: one config; trainings share nothing, so a population would gain nothing.
        state: from a measurement; training goes on right after it, with the same numbers.

    Raises:
        ValueError: there are several configs, or the state is of another network.
        DataProblem: images, weights or the device cannot be used, or no batch can be filled.
    """
    if len(configs) != 1:
        raise ValueError(f"train: trains one config at a time, got {len(configs)}; give them one by one")
    run = _Run.started(configs[0])
    if state is not None:
        run.kept, run.progress = restore(state, run.network, run.optimizer)
    yield None
    while not run.progress.is_over(run.config):
        measurement = run.next_epoch()
        yield measurement
        if measurement.diverged.any():
            break
    return [run.model()]


@dataclass(kw_only=True)
class _Run:
    """One training: what stays, and what each epoch changes in place."""

    config: Config
    data: ImageSet
    device: torch.device
    train_images: Images
    measured_images: Images  # of the training part, as many as there are for validation
    val_images: Images
    mean: tuple[float, ...]  # of each channel, between 0 and 1
    std: tuple[float, ...]
    class_weights: torch.Tensor | None
    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    kept: Weights  # of the epoch that counts; empty: of the last
    progress: Progress

    @classmethod
    def started(cls, config: Config) -> _Run:
        device, data = settle(config), load_images(config.data)
        _check_batches(config, data)
        train_images = on_device(data, "train", device)
        mean, std = channel_scaling(config.model.family, data.train.images)
        network = start_network(config, data.n_classes, device)
        return cls(
            config=config,
            data=data,
            device=device,
            train_images=train_images,
            measured_images=_some(train_images, len(data.val.labels)),
            val_images=on_device(data, "val", device),
            mean=mean,
            std=std,
            class_weights=_class_weights(config, data, device),
            network=network,
            optimizer=start_optimizer(config.optimizer, network),
            kept={},
            progress=Progress(),
        )

    def next_epoch(self) -> Measurement:
        started, before = time.perf_counter(), self.progress.epoch
        n_reductions = self.progress.n_reductions
        result = train_epoch(
            self.network,
            self.optimizer,
            self.train_images,
            self._prepared,
            self.class_weights,
            self.config,
            before,
            lambda epoch: self.config.optimizer.lr * lr_factor(self.config, epoch, n_reductions),
        )
        self.progress.epoch += 1
        metrics = self._measured(result)
        self.progress.seconds += time.perf_counter() - started
        is_diverged = not (math.isfinite(result.batch_loss) and math.isfinite(metrics["val_loss"]))
        is_last = is_diverged or self.progress.is_over(self.config)
        return Measurement(
            step=self.progress.epoch * steps_per_epoch(self.config, len(self.data.train.labels)),
            epoch=float(self.progress.epoch),
            metrics={name: np.array([value]) for name, value in metrics.items()},
            diverged=np.array([is_diverged]),
            state=lambda: flat_state(self.network, self.optimizer, self.kept, self.progress),
            artifacts=partial(self._files, self.progress.epoch, is_last),
            keep=self._keep,
        )

    def _prepared(self, images: torch.Tensor) -> torch.Tensor:
        return standardized(images, self.mean, self.std)

    def _measured(self, result: EpochResult) -> dict[str, float]:
        val, measured = self._scores(self.val_images), self._scores(self.measured_images)
        metrics = {
            "train_loss": measured.loss,
            "train_accuracy": measured.accuracy,
            "val_loss": val.loss,
            "val_accuracy": val.accuracy,
            "val_f1": macro_f1(val.matrix),
            "generalization_gap": measured.accuracy - val.accuracy,
            "batch_loss": result.batch_loss,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "samples_seen": float(self.progress.epoch * len(self.data.train.labels)),
        }
        self.progress.record(metrics, self.config)
        metrics |= {
            "best_val_loss": self.progress.best_val_loss,
            "best_val_accuracy": max(self.progress.accuracies),
            "best_epoch": float(self.progress.best_epoch),
            "epochs_to_90": self.progress.epochs_to_90(),
            "val_accuracy_sd": self.progress.sd_of_last_third(),
        }
        if self.config.optimizer.clip_norm is not None:
            metrics["grad_norm"] = result.grad_norm
        return metrics | _class_metrics(val.matrix, self.data.class_names)

    def _keep(self, mask: np.ndarray) -> None:
        if mask[0]:
            self.kept = copied_weights(self.network)

    def _scores(self, images: Images) -> Scores:
        return evaluate(self.network, images, self._prepared, self.config, self.data.n_classes)

    def _files(self, epoch: int, is_last: bool) -> list[Files]:
        """The files of the measurement just made; the network is the one that was measured."""
        files: dict[str, str | bytes] = {}
        if epoch == 1:
            rows = order_of(self.config.seed, 0, len(self.train_images.labels))[: self.config.batch_size]
            generator = generator_of(self.config.seed, Stream.AUGMENT, 0, 0)
            batch = training_batch(self.train_images, rows, self.config, generator)
            files["pictures/first_batch.png"] = first_batch_png(batch.images, batch.labels, self.data.class_names)
        if self.config.checkpoints == "all":
            files[f"weights/epoch_{epoch:03d}.safetensors"] = weights_file(copied_weights(self.network))
        if is_last:
            if self.config.checkpoints == "best" and math.isfinite(self.progress.best):
                files["weights/best.safetensors"] = weights_file(self._kept())
            files |= ending_files(self._kept_scores(self.val_images), *self.data.val, self.data.class_names)
        return [files]

    def _kept_scores(self, images: Images) -> Scores:
        """How the weights that are kept do on some images; the network is left as it is."""
        now = copied_weights(self.network)
        self.network.load_state_dict(self._kept())
        scores = self._scores(images)
        self.network.load_state_dict(now)
        return scores

    def _kept(self) -> Weights:
        """The weights of the model."""
        return self.kept or copied_weights(self.network)

    def model(self) -> TrainedModel:
        test_metrics = {}
        if self.data.test is not None:
            test = self._kept_scores(on_device(self.data, "test", self.device))
            test_metrics = {"test/loss": test.loss, "test/accuracy": test.accuracy, "test/f1": macro_f1(test.matrix)}
        return TrainedModel(
            test_metrics=test_metrics,
            family=self.config.model.family,
            settings=family_settings(self.config.model),
            class_names=self.data.class_names,
            mean=self.mean,
            std=self.std,
            arrays={name: value.cpu().numpy() for name, value in self._kept().items()},
            parameter_names=tuple(name for name, value in self.network.named_parameters() if value.requires_grad),
            input_example=self.data.val.images[:N_EXAMPLE_ROWS].transpose(0, 2, 3, 1).copy(),
        )


def _check_batches(config: Config, data: ImageSet) -> None:
    n_rows, n_train = config.batch_size * config.optimizer.accumulate, len(data.train.labels)
    if n_rows > n_train:
        raise DataProblem(
            f"batch_size: an update takes {n_rows} images (batch_size x optimizer.accumulate), more than the {n_train} "
            "training images; make it smaller"
        )


def _some(images: Images, n: int) -> Images:
    """At most `n` images of a part, the same in every training."""
    n_rows = len(images.labels)
    if n >= n_rows:
        return images
    rows = torch.randperm(n_rows, generator=generator_of(0, Stream.MEASURED_ROWS))[:n]
    return Images(images.images[rows.to(images.images.device)], images.labels[rows.to(images.labels.device)])


def _class_weights(config: Config, data: ImageSet, device: torch.device) -> torch.Tensor | None:
    """Of each class, one over its frequency, of mean 1 over images: n / (classes x images of the class)."""
    if config.class_weights == "none":
        return None
    counts = np.bincount(data.train.labels, minlength=data.n_classes)
    weights = len(data.train.labels) / (data.n_classes * counts)
    return torch.tensor(weights, dtype=torch.float32, device=device)


def _class_metrics(matrix: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    if len(class_names) > MOST_CLASS_METRICS:
        return {}
    names = [re.sub(r"[^\w .-]", "_", name) for name in class_names]  # what MLflow allows
    if len(set(names)) < len(names):
        names = [f"{index} {name}" for index, name in enumerate(names)]
    return {f"class_accuracy/{name}": float(value) for name, value in zip(names, class_accuracy(matrix))}
