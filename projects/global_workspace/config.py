"""Define and check the settings of this study, with the names of the original's configuration files.

It imports no JAX, so that a config is checked and hashed quickly. `population` says what may differ inside one compiled
call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from projects.global_workspace.data.config import DOMAINS, TARGET_NAMES, DataConfig
from projects.global_workspace.original import in_this_studys_words

# The original's names of the two domains, which its files use.
ALIASES = {"v": "visual", "attr": "attributes"}
TERMS = ("fusion", "demi_cycle", "cycle", "translation", "contrastive", "synergy")  # of the loss


def _full_name(name: Any) -> Any:
    return ALIASES.get(name, name) if isinstance(name, str) else name


def _domain_names(value: Any, place: str) -> Any:
    """Names of domains, whatever their spelling, in the study's order; the original's records give their `name`."""
    if not isinstance(value, (list, tuple)):
        return value
    names = []
    for entry in value:
        if isinstance(entry, Mapping):
            entry = entry.get("name")
        names.append(_full_name(entry))
    wrong = [name for name in names if name not in DOMAINS]
    if wrong or len(set(names)) < len(names):
        raise ValueError(f"{place}: takes {' and '.join(DOMAINS)} (or v and attr), each once, not {value}")
    return tuple(name for name in DOMAINS if name in names)


def _is_named(own: Any) -> bool:
    """Whether a list names a target in place of the numbers of its bits."""
    return isinstance(own, (list, tuple)) and bool(own) and set(map(str, own)) <= set(TARGET_NAMES)


class Indices(BaseModel, frozen=True, extra="forbid"):
    """Lists for each domain the numbers of the bits of one kind that count, from 0; none: all there are.

    The name of a target (`xor_target_normalized`) stands for all its bits; a domain beside it that is not named has
    none, as in the original.
    """

    visual: tuple[int, ...] | None = Field(default=None, description="numbers of the visual domain; none: all")
    attributes: tuple[int, ...] | None = Field(default=None, description="numbers of the attribute domain; none: all")

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        numbers = {_full_name(name): own for name, own in value.items()}
        named = {domain for domain, own in numbers.items() if _is_named(own)}
        if not named:
            return numbers
        return {domain: None if domain in named else numbers.get(domain) or () for domain in {*DOMAINS, *numbers}}

    def of(self, domain: str, n: int) -> tuple[int, ...]:
        """Return the numbers for one domain, of `n` that there are."""
        own = getattr(self, domain)
        return tuple(range(n)) if own is None else own

    def check(self, place: str, n: int, unit: str) -> None:
        """Refuse numbers that do not exist or come twice."""
        for domain in DOMAINS:
            own = self.of(domain, n)
            if any(not 0 <= index < n for index in own) or len(set(own)) < len(own):
                raise ValueError(
                    f"{place}.{domain}={list(own)}: the number of {unit} is {n} (data); count them from 0, each once"
                )


class FusionWeights(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Holds each domain's share in the fused workspace."""

    visual: float = Field(default=0.5, ge=0, description="share of the visual encoding")
    attributes: float = Field(default=0.5, ge=0, description="share of the attribute encoding")

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        return {_full_name(name): own for name, own in value.items()} if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _some_share(self) -> Self:
        if not self.visual + self.attributes:
            raise ValueError("model.fusion_weights: both are 0, so nothing would enter the workspace; raise one")
        return self


class ModelConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Describes encoders into the workspace and decoders out of it: linear, ReLU, n_layers x (linear, ReLU), linear."""

    domains: tuple[str, ...] = Field(default=DOMAINS, description="the domains that the workspace joins: both")
    workspace_dim: int = Field(default=12, ge=1, description="coordinates of the workspace")
    max_workspace_dim: int | None = Field(
        default=None,
        ge=1,
        description="pad the workspace to this many coordinates; widths up to it then share a compiled function; none: "
        "do not",
    )
    hidden_dim: int = Field(default=32, ge=1, description="units of each hidden layer of an encoder")
    decoder_hidden_dim: int | None = Field(
        default=None, ge=1, description="units of each hidden layer of a decoder; none: hidden_dim"
    )
    n_layers: int = Field(default=1, ge=0, description="hidden layers beyond the first")
    selection: Literal["fixed", "random"] = Field(
        default="fixed",
        description="shares of the domains in training: fusion_weights, or drawn for each item as "
        "softmax(U(0, 1) / temperature)",
    )
    temperature: float = Field(default=0.2, gt=0, description="temperature of the random selection")
    fusion_weights: FusionWeights = Field(
        default=FusionWeights(), description="shares of the domains; measurements always use them"
    )

    @field_validator("domains", mode="before")
    @classmethod
    def _both_domains(cls, value: Any) -> Any:
        names = _domain_names(value, "model.domains")
        if isinstance(names, tuple) and len(names) < len(DOMAINS):
            raise ValueError(
                f"model.domains: a workspace joins {' and '.join(DOMAINS)}, not only {', '.join(names)}; give both"
            )
        return names

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.max_workspace_dim is not None and self.max_workspace_dim < self.workspace_dim:
            raise ValueError(
                f"model.max_workspace_dim={self.max_workspace_dim} is less than workspace_dim={self.workspace_dim}; "
                "raise it or leave it out"
            )
        if self.selection == "fixed" and self.temperature != ModelConfig.model_fields["temperature"].default:
            raise ValueError(
                f"model.temperature={self.temperature} has no effect on selection 'fixed'; leave it out or set "
                "selection to random"
            )
        return self

    @property
    def padded_dim(self) -> int:
        """Coordinates of the workspace in memory."""
        return self.max_workspace_dim or self.workspace_dim


class SynergyConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Describes the synergy prior, and which bits are looked at."""

    domains: tuple[str, ...] = Field(default=DOMAINS, description="domains whose decoders also give the targets")
    feature_indices: Indices = Field(default=Indices(), description="targets that each decoder gives")
    loss_scale: float = Field(default=1.0, ge=0, description="weight of the synergy loss; 0: no prior")
    unique_indices: Indices = Field(default=Indices(), description="unique bits that are probed")
    redundant_indices: Indices = Field(default=Indices(), description="redundant bits that are probed")

    @field_validator("domains", mode="before")
    @classmethod
    def _known_domains(cls, value: Any) -> Any:
        names = _domain_names(value, "synergy.domains")
        if names == ():
            raise ValueError("synergy.domains: name at least one; for no prior set synergy.loss_scale to 0")
        return names

    @model_validator(mode="after")
    def _no_index_without_decoder(self) -> Self:
        for domain in set(DOMAINS) - set(self.domains):
            if getattr(self.feature_indices, domain):
                raise ValueError(
                    f"synergy.feature_indices.{domain} has no effect: {domain} is not in synergy.domains; add it there"
                )
        return self


class OptimizerConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Sets AdamW; Adam is the same without weight decay."""

    type: Literal["AdamW", "Adam"] = Field(default="AdamW", description="update rule")
    lr: float = Field(default=1e-2, ge=0, description="learning rate; with one_cycle its highest value")
    weight_decay: float = Field(default=0.0, ge=0, description="decoupled decay of weights and biases, times lr")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the first moment")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the second moment")
    eps: float = Field(default=1e-8, gt=0, description="added to the root of the second moment")
    schedule: Literal["one_cycle", "constant"] = Field(
        default="one_cycle", description="how lr changes during training"
    )
    pct_start: float = Field(default=0.2, gt=0, lt=1, description="share of the steps in which one_cycle rises")

    @model_validator(mode="after")
    def _adam_does_not_decay(self) -> Self:
        if self.type == "Adam" and self.weight_decay:
            raise ValueError(f"training.optimizer: Adam has no weight_decay ({self.weight_decay}); set type to AdamW")
        return self


class LossWeights(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Holds coefficients of the terms of the loss; that of the synergy term is synergy.loss_scale."""

    fusion: float = Field(default=1.0, ge=0, description="both domains decoded from the workspace that both entered")
    demi_cycle: float = Field(default=1.0, ge=0, description="a domain through the workspace and back")
    cycle: float = Field(default=1.0, ge=0, description="a domain through the other one and back")
    translation: float = Field(default=1.0, ge=0, description="a domain decoded from the other one; needs pairs")
    contrastive: float = Field(default=0.01, ge=0, description="pairs nearer to each other than to other items")


class LossConfig(BaseModel, frozen=True, extra="forbid"):
    """Holds a named set of coefficients."""

    name: str = Field(default="all", min_length=1, description="label")
    weights: LossWeights = Field(default=LossWeights())


class TrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """Says how long and on what is trained."""

    epochs: int = Field(default=30, ge=1, description="passes over the training rows, each row once a pass")
    batch_size: int = Field(default=256, ge=2, description="rows a step; the last of an epoch has those left")
    n_pairs: int | None = Field(
        default=None,
        ge=2,
        description="matched rows, drawn by the seed: only these may be used by fusion, translation, contrastive and "
        "synergy; none: all rows",
    )
    optimizer: OptimizerConfig = Field(default=OptimizerConfig())
    grad_clip: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="largest norm of the gradient over all weights; none: not clipped",
    )
    loss_configs: LossConfig = Field(default=LossConfig(), description="coefficients; a file may give a list of them")


class Config(BaseModel, frozen=True, extra="forbid"):
    """Train a two-domain Global Workspace with these settings."""

    seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of initial weights, batches, matched rows and selection"
    )
    evals: int = Field(default=5, ge=1, description="measurements after the one at step 0, at most one a step")
    probe_rows: int = Field(default=2048, ge=2, description="training rows that the probes are fitted on, at most")
    data: DataConfig = Field(default=DataConfig())
    model: ModelConfig = Field(default=ModelConfig())
    synergy: SynergyConfig = Field(default=SynergyConfig())
    training: TrainingConfig = Field(default=TrainingConfig())

    @model_validator(mode="before")
    @classmethod
    def _from_the_original(cls, value: Any) -> Any:
        return in_this_studys_words(value) if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        synergy, count = self.synergy, self.data.count
        synergy.feature_indices.check("synergy.feature_indices", count("synergy"), "synergy targets")
        synergy.unique_indices.check("synergy.unique_indices", count("unique"), "unique bits")
        synergy.redundant_indices.check("synergy.redundant_indices", count("redundant"), "redundant bits")
        weights = self.training.loss_configs.weights
        if not any((*weights.model_dump().values(), self.synergy.loss_scale)):
            raise ValueError(
                "training.loss_configs.weights and synergy.loss_scale are all 0, so nothing would be trained; raise one"
            )
        if not any(self.targets_of(domain) for domain in DOMAINS):
            raise ValueError("synergy.feature_indices: no decoder gives a target; for no prior set loss_scale to 0")
        return self

    def targets_of(self, domain: str) -> tuple[int, ...]:
        """Return the synergy targets that a domain's decoder gives."""
        n = self.data.count("synergy")
        return self.synergy.feature_indices.of(domain, n) if domain in self.synergy.domains else ()
