"""Define and check the settings of this study, without importing torch."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from projects.emnist_mlp.activations import ACTIVATIONS
from projects.emnist_mlp.data.config import DataConfig
from projects.training.batches import steps_per_epoch

# Members of one population may differ in these: they are trained in turn, each on its own.
VARIES = frozenset(
    {
        "seed",
        "model.dropout",
        "model.activation",
        "optimizer.lr",
        "optimizer.weight_decay",
        "optimizer.momentum",
        "regularization.l1",
        "regularization.l2",
        "regularization.label_smoothing",
        "augment.affine",
        "augment.elastic",
        "augment.noise",
    }
)
RTOL = 0.0  # a member gets the bits that it would get alone

# Training rows on which loss and accuracy are measured. An accuracy over 4,096 rows has a standard error below
# 0.8 %; more would let measuring cost more than training where a run is short.
MOST_MEASURED_TRAIN_ROWS = 4096

Width = Annotated[int, Field(ge=1, le=65536)]


class ModelConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Describes the network between 784 pixels and the classes."""

    hidden_dims: tuple[Width, ...] = Field(
        default=(256, 128), description="units of each hidden layer; an empty list is a linear model"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="probability that a hidden unit is left out of a step")
    activation: str = Field(
        default="relu", description=f"activation of the hidden units: {', '.join(sorted(ACTIVATIONS))}"
    )

    @field_validator("activation")
    @classmethod
    def _is_registered(cls, name: str) -> str:
        if name not in ACTIVATIONS:
            known = ", ".join(sorted(ACTIVATIONS))
            raise ValueError(f"must be one of {known}; a new one is a row in projects/emnist_mlp/activations.py")
        return name


class OptimizerConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Says how weights are updated. Each rule reads its own fields and leaves the others alone."""

    name: Literal["adamw", "sgd", "rmsprop"] = Field(default="adamw", description="update rule")
    lr: float = Field(default=1e-3, ge=0, description="learning rate after the warm-up")
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        description="decoupled decay of weights (not biases), times the learning rate, for every rule",
    )
    beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the first moment; read by adamw only")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the second moment; read by adamw only")
    eps: float = Field(default=1e-8, gt=0, description="added to the root of the second moment; adamw and rmsprop")
    alpha: float = Field(default=0.99, ge=0, lt=1, description="decay of the squared gradient; read by rmsprop only")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="heavy-ball momentum; sgd and rmsprop")
    nesterov: bool = Field(default=False, description="Nesterov's momentum; read by sgd only")
    schedule: Literal["constant", "cosine"] = Field(default="constant", description="how lr changes after the warm-up")
    warmup_fraction: float = Field(default=0.0, ge=0, lt=1, description="linear warm-up as a fraction of all steps")

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.name == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("optimizer.nesterov: needs a momentum above 0, which is 0.0; set optimizer.momentum")
        return self


class RegularizationConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Says what is added to the loss that is trained on; the measured losses hold none of it."""

    l1: float = Field(default=0.0, ge=0, description="factor of the sum of absolute weights (not biases)")
    l2: float = Field(default=0.0, ge=0, description="factor of the sum of squared weights (not biases)")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of each target spread over all classes")


class AugmentConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Describes distortions of training images, drawn anew at every step; formulas in distort.py."""

    affine: float = Field(
        default=0.0, ge=0, le=4, description="1: up to 15 degrees, 15 % of size, 0.2 of shear and 2 pixels of shift"
    )
    elastic: float = Field(default=0.0, ge=0, le=8, description="standard deviation of the displacement, pixels")
    noise: float = Field(default=0.0, ge=0, le=1, description="standard deviation of the noise on a pixel of 0 to 1")

    @property
    def is_on(self) -> bool:
        """Say whether anything is distorted."""
        return self.affine > 0 or self.elastic > 0 or self.noise > 0


class Config(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Train a multi-layer perceptron on characters with these settings."""

    # the names of a Hydra project, in which a file of conf/training holds the optimizer with its `params`
    ALIASES: ClassVar[dict[str, str]] = {
        **{f"training.{name}": name for name in ("batch_size", "epochs", "steps", "evals", "device", "seed")},
        "training.optimizer.name": "optimizer.name",
        **{
            f"training.optimizer.params.{name}": f"optimizer.{name}"
            for name in OptimizerConfig.model_fields
            if name != "name"
        },
        **{f"training.regularization.{name}": f"regularization.{name}" for name in RegularizationConfig.model_fields},
    }

    model: ModelConfig = Field(default=ModelConfig())
    optimizer: OptimizerConfig = Field(default=OptimizerConfig())
    regularization: RegularizationConfig = Field(default=RegularizationConfig())
    augment: AugmentConfig = Field(default=AugmentConfig())
    data: DataConfig = Field(default=DataConfig())
    batch_size: int = Field(default=128, ge=1, description="rows a step; the last of an epoch has those left")
    epochs: float = Field(default=10.0, gt=0, description="passes over all training rows, unless steps is given")
    steps: int | None = Field(default=None, ge=1, description="updates, for runs that differ in their number of rows")
    evals: int = Field(default=10, ge=1, description="measurements after the one at step 0, evenly spaced")
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="where to compute")
    threads: int = Field(
        default=1, ge=1, le=256, description="threads of one training on the CPU; another number may give other bits"
    )
    pictures: bool = Field(default=True, description="a picture of the first batch as the network sees it")
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of initial weights, batches, dropout and distortions"
    )


def n_steps_of(config: Config, n_train: int) -> int:
    """Count the updates of a whole run on `n_train` rows."""
    if config.steps is not None:
        return config.steps
    return max(1, math.floor(config.epochs * steps_per_epoch(config.batch_size, n_train) + 1e-9))


def is_longer(new: Config, old: Config) -> bool:
    """Say whether `new` is the same training as `old`, only longer, so that it may go on from its end.

    They may differ only in how long they train and how often they measure, and no learning rate may depend on the end.
    """
    if new.optimizer.schedule != "constant" or new.optimizer.warmup_fraction:
        return False
    how_long = {name: Config.model_fields[name].default for name in ("epochs", "steps", "evals")}
    if new.model_copy(update=how_long) != old.model_copy(update=how_long):
        return False
    if new.steps is None or old.steps is None:
        return new.steps is None and old.steps is None and new.epochs >= old.epochs
    return new.steps >= old.steps
