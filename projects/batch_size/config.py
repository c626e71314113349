"""Define and check the settings of this study, and which of them may differ inside one compiled call.

It imports no JAX, so that a config is checked and hashed quickly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from projects.batch_size.data import DataConfig
from projects.training.population import shared_key

# Traced or used on the host only: members of one compiled call may differ in these.
VARIES = frozenset(
    {
        "seed",
        "gamma",
        "init_scale",
        "optimizer.lr",
        "optimizer.momentum",
        "optimizer.beta1",
        "optimizer.beta2",
        "optimizer.weight_decay",
    }
)

# A member of a population gets the metrics that it would get alone, to this: batched matrix products sum in
# another order, and training lets rounding grow. Measured over 300 steps in float32: 6e-5 on digits, 2e-3 for
# the gradient norm where the learning rate is at the edge of stability. Nothing holds for one that diverges.
RTOL = 1e-2

# Below this gamma float32 rounding of the output is divided by so small a number that it drowns the signal:
# Atanasov et al. (arXiv:2410.04642) switch to float64 at the same place.
FLOAT64_BELOW_GAMMA = 1e-2

# Rows on which the training loss and the gradient norm are measured. A mean over 1,024 rows has a 32nd of one
# row's scatter; more would let measuring cost more than training where a run sees few batches of a large set.
MOST_MEASURED_TRAIN_ROWS = 1024


class OptimizerConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Says how parameters are updated; the update rule itself is in `optimizer`."""

    name: Literal["sgd", "momentum", "adam"] = Field(default="sgd", description="update rule")
    lr: float = Field(
        default=0.2, ge=0, description="learning rate, before the parameterisation's per-layer multipliers"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="heavy-ball momentum; read by 'momentum' only")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the first moment; read by 'adam' only")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the second moment; read by 'adam' only")
    eps: float = Field(default=1e-8, gt=0, description="added to the root of the second moment; read by 'adam' only")
    weight_decay: float = Field(default=0.0, ge=0, description="decoupled decay of weights (not biases), times lr")
    schedule: Literal["constant", "cosine"] = Field(default="constant", description="how lr changes after the warm-up")
    warmup_steps: int = Field(default=0, ge=0, description="steps of linear warm-up")
    warmup_fraction: float = Field(default=0.0, ge=0, lt=1, description="warm-up as a fraction of all steps")

    @model_validator(mode="after")
    def _one_warmup(self) -> Self:
        if self.warmup_steps and self.warmup_fraction:
            raise ValueError(
                f"optimizer: warmup_steps ({self.warmup_steps}) and warmup_fraction ({self.warmup_fraction}) "
                "both set the warm-up; leave one at 0"
            )
        return self


class Config(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Train a multi-layer perceptron with these settings."""

    depth: int = Field(default=3, ge=1, description="weight layers L; 1 is a linear model")
    width: int = Field(default=64, ge=1, description="units N of each hidden layer")
    base_width: int = Field(default=64, ge=1, description="width at which 'mup' equals 'standard'; read by 'mup' only")
    parameterization: Literal["standard", "ntk", "mup", "mean_field"] = Field(
        default="mup",
        description="initial scales and learning-rate multipliers; formulas in parameterization.py",
    )
    gamma: float = Field(default=1.0, gt=0, description="feature-learning strength: the output is divided by it")
    centered: bool = Field(
        default=True, description="subtract the output at initialisation: f(x; theta) - f(x; theta_0)"
    )
    init_scale: float = Field(default=1.0, gt=0, description="factor on the initial standard deviation of every weight")
    bias: bool = Field(default=True, description="biases, 0 at initialisation")
    activation: Literal["relu", "tanh", "gelu", "linear"] = Field(default="relu", description="hidden units")
    loss: Literal["cross_entropy", "mse"] = Field(
        default="cross_entropy",
        description="mse is the mean over rows and outputs, against one-hot rows if there are classes",
    )
    precision: Literal["auto", "float32", "float64"] = Field(
        default="auto", description="auto: float64 if gamma < 0.01, else float32"
    )
    batch_size: int = Field(default=32, ge=1, description="rows a step")
    steps: int = Field(default=300, ge=1, description="updates, unless epochs is given")
    epochs: float | None = Field(
        default=None,
        gt=0,
        description="passes over the training rows, each row once a pass; sets the number of steps, and the last "
        "batch has the rows that are left",
    )
    evals: int = Field(
        default=10,
        ge=1,
        description="measurements after the one at step 0, evenly spaced, at most one a step",
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of initial weights, batches and online samples")
    target_loss: float | None = Field(
        default=None,
        gt=0,
        description="steps_to_target counts the steps to the first measured val_loss at or below this",
    )
    optimizer: OptimizerConfig = Field(default=OptimizerConfig())
    data: DataConfig = Field(default=DataConfig())

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.loss == "cross_entropy" and self.data.name == "teacher":
            raise ValueError("loss: cross_entropy needs classes and data.name 'teacher' has none; set loss to mse")
        if self.epochs is not None and self.data.online:
            raise ValueError("epochs: online data are fresh at every step and have no epochs; set steps instead")
        return self


def precision_of(config: Config) -> Literal["float32", "float64"]:
    """Return the floating-point type that a config trains in."""
    if config.precision == "auto":
        return "float64" if config.gamma < FLOAT64_BELOW_GAMMA else "float32"
    return config.precision


def static_key(config: Config) -> Config:
    """Return a key: configs with equal keys may be trained together in one compiled call.

    It is the config with every field of `VARIES` at its default and `precision` resolved: gamma varies, but
    float32 and float64 are two compiled functions.
    """
    defaults = OptimizerConfig.model_fields
    varying = {name.removeprefix("optimizer."): name for name in VARIES if name.startswith("optimizer.")}
    optimizer = config.optimizer.model_copy(update={field: defaults[field].default for field in varying})
    own = {name: Config.model_fields[name].default for name in VARIES if "." not in name}
    return config.model_copy(update={**own, "optimizer": optimizer, "precision": precision_of(config)})


def is_longer(new: Config, old: Config) -> bool:
    """Say whether `new` is the same training as `old`, only longer, so that it may go on from its end.

    They may differ only in how long they train and how often they measure, and no learning rate may depend on the end.
    `extends` of the study checks for a last batch that is not full.
    """
    optimizer = new.optimizer
    if optimizer.schedule != "constant" or optimizer.warmup_fraction:
        return False
    how_long = {name: Config.model_fields[name].default for name in ("steps", "epochs", "evals")}
    if new.model_copy(update=how_long) != old.model_copy(update=how_long):
        return False
    if new.epochs is None or old.epochs is None:
        return new.epochs is None and old.epochs is None and new.steps >= old.steps
    return new.epochs >= old.epochs


def shared_static_key(configs: Sequence[Config]) -> Config:
    """Return the static key of a population.

    Raises:
        ValueError: there is no member, or members differ in a field that may not vary.
    """
    return shared_key(configs, static_key, _difference)


def _difference(index: int, first: Config, other: Config) -> str:
    fields = [name for name in Config.model_fields if getattr(first, name) != getattr(other, name)]
    values = "; ".join(f"{name}: {getattr(first, name)!r} and {getattr(other, name)!r}" for name in fields)
    return (
        f"train: members 0 and {index} cannot share a compiled call, they differ in {values}; "
        f"group them by static_key (only {', '.join(sorted(VARIES))} may vary)"
    )
