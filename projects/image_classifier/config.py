"""Define and check the settings of this study, without importing PyTorch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from projects.image_classifier.data.config import DataConfig

_ONLY_CNN = ("width", "blocks")
_ONLY_EFFICIENTNET = ("drop_path", "weights", "head", "frozen")


class _Section(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """A part of the config in which a field without effect keeps its default: a sweep over it would compare equals."""

    def _refuse_changed(self, fields: tuple[str, ...], why: str) -> None:
        for field in fields:
            value = getattr(self, field)
            if value != type(self).model_fields[field].default:
                raise ValueError(f"{field}={value!r} has no effect {why}; leave it out or change that")


class ModelConfig(_Section, frozen=True):
    """Describes the network."""

    family: Literal["cnn", "efficientnet_b0"] = Field(default="cnn", description="small CNN, or EfficientNet-B0")
    width: int = Field(
        default=16, ge=1, le=512, description="cnn: channels of the first block; each further block has twice as many"
    )
    blocks: int = Field(default=3, ge=1, le=8, description="cnn: blocks of two convolutions that halve the side")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="dropout of the features before the classifier")
    drop_path: float = Field(default=0.2, ge=0, lt=1, description="efficientnet_b0: stochastic depth of the last block")
    weights: str | None = Field(
        default=None,
        min_length=1,
        description="efficientnet_b0: file to start from, torchvision's .pth or .safetensors; imagenet: the one that "
        "torchvision publishes, in data/efficientnet_b0 and checked by its digest; none: random weights",
    )
    head: Literal["new", "kept"] = Field(
        default="new", description="with weights: draw a new classifier, or keep it (needs as many classes)"
    )
    frozen: bool = Field(default=False, description="with weights: train only the classifier")

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> Self:
        others = _ONLY_EFFICIENTNET if self.family == "cnn" else _ONLY_CNN
        self._refuse_changed(others, f"on family {self.family!r}")
        if self.weights is None:
            self._refuse_changed(("head", "frozen"), "without weights")
        return self


class OptimizerConfig(_Section, frozen=True):
    """Says how weights are updated."""

    name: Literal["adamw", "sgd"] = Field(default="adamw", description="update rule; sgd has Nesterov's momentum")
    lr: float = Field(default=1e-3, gt=0, description="learning rate after the warm-up")
    weight_decay: float = Field(
        default=1e-2, ge=0, description="decay of weights (not of biases and norms): times lr in adamw, L2 in sgd"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd: momentum")
    clip_norm: float | None = Field(default=None, gt=0, description="largest norm of a gradient; longer ones are cut")
    accumulate: int = Field(default=1, ge=1, description="batches whose gradients are averaged for one update")

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> Self:
        if self.name != "sgd":
            self._refuse_changed(("momentum",), f"on {self.name!r}")
        return self


class ScheduleConfig(_Section, frozen=True):
    """Describes the course of the learning rate."""

    name: Literal["constant", "step", "plateau", "cosine"] = Field(
        default="constant",
        description="step: times factor every step_epochs; plateau: times factor after patience epochs without a "
        "better val_loss; cosine: to 0 at the end",
    )
    warmup_epochs: float = Field(default=0.0, ge=0, description="epochs of linear warm-up")
    factor: float = Field(default=0.3, gt=0, lt=1, description="step, plateau: what the rate is multiplied by")
    step_epochs: int | None = Field(
        default=None, ge=1, description="step: epochs between two reductions; none: half of the epochs"
    )
    patience: int | None = Field(
        default=None,
        ge=0,
        description="plateau: epochs without improvement before a reduction; none: a fifth of the epochs",
    )

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> Self:
        idle = {
            "constant": ("factor", "step_epochs", "patience"),
            "cosine": ("factor", "step_epochs", "patience"),
            "step": ("patience",),
            "plateau": ("step_epochs",),
        }
        self._refuse_changed(idle[self.name], f"on schedule {self.name!r}")
        return self

    def step_in(self, epochs: int) -> int:
        """Return the epochs between two reductions of `step` in a training of so many epochs."""
        return self.step_epochs if self.step_epochs is not None else max(1, epochs // 2)

    def patience_in(self, epochs: int) -> int:
        """Return the epochs without improvement that `plateau` waits for in a training of so many epochs."""
        return self.patience if self.patience is not None else epochs // 5

    def problem_in(self, epochs: int) -> str:
        """Say why this schedule cannot act in a training of so many epochs; empty: it can.

        `plateau` acts first after the epoch that sets the mark, `patience` more, and one that is too many.
        """
        step, patience = self.step_in(epochs), self.patience_in(epochs)
        if self.name == "step" and step >= epochs:
            return (
                f"schedule.step_epochs: the rate falls after every {step} epochs, and there are {epochs}: the schedule "
                "has no effect; make it smaller than epochs, or take another schedule"
            )
        if self.name == "plateau" and patience + 2 >= epochs:
            return (
                f"schedule.patience: {patience} needs {patience + 3} epochs or more to act, and there are {epochs}: "
                "the schedule has no effect; wait for fewer, or take another schedule"
            )
        return ""


class AugmentConfig(_Section, frozen=True):
    """Says what is done to training images; validation and test images are never changed."""

    level: Literal["none", "light", "moderate", "strong"] = Field(
        default="none", description="light: shift; moderate: and turn, scale, brightness; strong: all of it more, erase"
    )
    flip: bool = Field(default=False, description="mirror half of the images; not for characters")
    mixup: float = Field(
        default=0.0, ge=0, description="alpha of mixup's Beta(alpha, alpha); 0 is none (arXiv:1710.09412)"
    )


class StoppingConfig(_Section, frozen=True):
    """Says when training ends before its last epoch."""

    patience: int | None = Field(
        default=None, ge=1, description="epochs without a better `monitor` after which training ends; none: never"
    )
    min_delta: float = Field(default=0.0, ge=0, description="how much better it must be")
    time_limit: float | None = Field(
        default=None,
        gt=0,
        description="seconds of training after which no epoch begins; the number of epochs then depends on the machine",
    )

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> Self:
        if self.patience is None:
            self._refuse_changed(("min_delta",), "without patience")
        return self


class Config(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Train an image classifier with these settings."""

    seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of weights, order of images, augmentation and dropout"
    )
    epochs: int = Field(default=10, ge=1, description="passes over the training images, each image once a pass")
    batch_size: int = Field(default=32, ge=2, description="images a batch; the last of an epoch has those left")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="part of each label spread over all classes")
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="balanced: a class counts in the training loss by one over its frequency"
    )
    monitor: Literal["val_loss", "val_accuracy", "val_f1"] = Field(
        default="val_loss",
        description="what stopping.patience waits for, and whose best epoch is kept; in a sweep its objective's metric",
    )
    checkpoints: Literal["none", "best", "all"] = Field(
        default="best", description="weights as artifacts, safetensors: of the epoch that is kept, or of every epoch"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: cuda if there is one")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="bfloat16: mixed precision by autocast; weights stay float32"
    )
    threads: int = Field(
        default=1, ge=1, le=256, description="threads of one training on a CPU; results depend on it slightly"
    )
    model: ModelConfig = Field(default=ModelConfig())
    optimizer: OptimizerConfig = Field(default=OptimizerConfig())
    schedule: ScheduleConfig = Field(default=ScheduleConfig())
    augment: AugmentConfig = Field(default=AugmentConfig())
    stopping: StoppingConfig = Field(default=StoppingConfig())
    data: DataConfig = Field(default=DataConfig())

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.model.family == "cnn" and 2**self.model.blocks > self.data.image_size:
            raise ValueError(
                f"model.blocks: {self.model.blocks} halvings need a side of {2**self.model.blocks} pixels, "
                f"data.image_size is {self.data.image_size}; use fewer blocks or larger images"
            )
        if self.schedule.warmup_epochs >= self.epochs and self.schedule.name == "cosine":
            raise ValueError(
                f"schedule.warmup_epochs: {self.schedule.warmup_epochs:g} leaves nothing of {self.epochs} epochs for "
                "the cosine; make it shorter"
            )
        if problem := self.schedule.problem_in(self.epochs):
            raise ValueError(problem)
        return self


def is_longer(new: Config, old: Config) -> bool:
    """Say whether `new` is the same training as `old`, only longer, so that it may go on from its end.

    They may differ only in `epochs`, on which the learning rate may not depend, and no time limit may end the training.
    """
    schedule = new.schedule
    depends = {
        "cosine": True,
        "step": schedule.step_in(new.epochs) != schedule.step_in(old.epochs),
        "plateau": schedule.patience_in(new.epochs) != schedule.patience_in(old.epochs),
    }
    if depends.get(schedule.name, False) or new.stopping.time_limit is not None:
        return False
    return new.epochs >= old.epochs and new.model_copy(update={"epochs": old.epochs}) == old
