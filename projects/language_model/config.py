"""Define and check the settings of this study, without importing torch, so that `--help` is quick."""

from __future__ import annotations

import math
import re
from typing import Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from projects.language_model.shape import FeedForward, Norm, Position, Shape

MADE_HERE = "stories"  # the data set that needs no file
MULTIPLE_OF = 64  # of the default d_ff, as in CS336 (assignment 1, 2025): matrix units like it
SMALLEST_OF_TEXT, LARGEST = 257, 2**16  # vocabularies: the bytes and the end of a text; what uint16 holds
TOKEN_FILES = (".bin", ".npy")
FLOOR = 0.1  # the default min_learning_rate as a part of learning_rate


class DataConfig(BaseModel, frozen=True, extra="forbid"):
    """Says which part of the text validates."""

    seed: int = Field(
        default=0,
        ge=0,
        description="which validation sequences are measured; 0: evenly spaced. Training text and test sequences stay",
    )


class Config(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Train a decoder-only transformer with these settings."""

    description: str = Field(default="", description="what this run is for; not read by the training")
    dataset: str = Field(
        default=MADE_HERE,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="stories: made on the fly; tinystories: text in data/tinystories; another name: give both paths",
    )
    train_data_path: str | None = Field(
        default=None,
        min_length=1,
        description="text (.txt, .txt.gz) or tokens (.npy of any integer type, .bin of uint16) to train on",
    )
    val_data_path: str | None = Field(default=None, min_length=1, description="text or tokens to validate on")
    vocab_size: int = Field(
        default=512, ge=2, le=LARGEST, description="entries of the vocabulary; if it is made from text, at least 257"
    )
    context_length: int = Field(default=64, ge=2, description="tokens a training sequence")
    d_model: int = Field(default=128, ge=1, description="width of the residual stream")
    num_layers: int = Field(default=2, ge=1, description="transformer blocks")
    num_heads: int = Field(default=4, ge=1, description="attention heads; divides d_model")
    d_ff: int | None = Field(
        default=None, ge=1, description="hidden units of SwiGLU; none: 8/3 d_model, rounded to a multiple of 64"
    )
    rope_theta: float = Field(default=10_000.0, gt=0, description="base of the rotation angles; read by 'rope' only")
    norm: Norm = Field(default="pre", description="RMSNorm before each block, after it, or nowhere")
    position: Position = Field(default="rope", description="rotary position embedding, or none")
    feed_forward: FeedForward = Field(
        default="swiglu", description="gated, or SiLU with as many parameters (3/2 d_ff hidden units)"
    )
    tie_weights: bool = Field(default=False, description="one matrix for input embedding and output")
    batch_size: int = Field(default=16, ge=1, description="sequences an update")
    accumulation_steps: int = Field(
        default=1, ge=1, description="parts in which a batch goes through the model; divides batch_size"
    )
    max_iterations: int = Field(default=300, ge=1, description="updates, unless max_tokens is given")
    max_tokens: int | None = Field(
        default=None, ge=1, description="tokens to train on; sets the number of updates for any batch_size"
    )
    learning_rate: float = Field(default=3e-3, ge=0, description="highest rate, at the end of the warm-up")
    min_learning_rate: float | None = Field(
        default=None, ge=0, description="rate at the end of the cosine; none: a tenth of learning_rate"
    )
    warmup_iters: int = Field(default=30, ge=0, description="updates of linear warm-up")
    weight_decay: float = Field(default=0.1, ge=0, description="decoupled decay of matrices; norms have none")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of AdamW's first moment")
    beta2: float = Field(default=0.95, ge=0, lt=1, description="decay of AdamW's second moment")
    grad_clip: float | None = Field(default=1.0, gt=0, description="largest norm of the gradient; none: not clipped")
    device: str | None = Field(
        default="auto", description="auto or none: cuda if there is one, else mps, else cpu; also cuda:1"
    )
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = Field(
        default="float32",
        description="bfloat16, float16 (with a scaled loss): autocast, weights stay float32; float64: for checks",
    )
    compile: bool = Field(default=False, description="compile the model with torch.compile")
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads; another number may change the last bits; none: torch chooses"
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of initial weights, batches and samples")
    data: DataConfig = Field(default=DataConfig())
    log_interval: int = Field(default=25, ge=1, description="updates between two measurements")
    eval_interval: int = Field(default=25, ge=1, description="updates between two measurements on validation text")
    eval_sequences: int = Field(default=64, ge=1, description="validation sequences, evenly spaced, the same each time")
    checkpoint_interval: int | None = Field(
        default=None,
        ge=1,
        description="updates between two sets of weights kept as artifacts, in addition to the best; none: only the "
        "best",
    )
    sample_tokens: int = Field(default=48, ge=0, description="tokens of text written at each evaluation; 0: none")
    sample_prompt: str = Field(default="Once upon a time", min_length=1, description="how the written text begins")
    temperature: float = Field(
        default=0.8, ge=0, description="temperature of written text; 0: always the likeliest token"
    )
    top_p: float = Field(
        default=0.95, gt=0, le=1, description="written text: draw among the likeliest tokens of this probability"
    )

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
            raise ValueError("must be auto, cpu, mps, cuda, or cuda:N for the GPU of number N")
        return name

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for problem in (_shape_problem(self), _batch_problem(self), _data_problem(self)):
            if problem:
                raise ValueError(problem)
        return self


def shape_of(config: Config) -> Shape:
    """Return the architecture that a config describes."""
    return Shape(
        vocab_size=config.vocab_size,
        context_length=config.context_length,
        d_model=config.d_model,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        d_ff=config.d_ff if config.d_ff is not None else default_d_ff(config.d_model),
        rope_theta=config.rope_theta,
        norm=config.norm,
        position=config.position,
        feed_forward=config.feed_forward,
        tie_weights=config.tie_weights,
    )


def default_d_ff(d_model: int) -> int:
    """Return about 8/3 d_model, a multiple of 64: 1344 for 512 (CS336, assignment 1)."""
    return max(1, math.floor(8 / 3 * d_model / MULTIPLE_OF + 0.5)) * MULTIPLE_OF


def n_updates(config: Config) -> int:
    """Say how many updates a run makes: at least one, and as many as max_tokens needs, rounded."""
    if config.max_tokens is None:
        return config.max_iterations
    return max(1, round(config.max_tokens / (config.batch_size * config.context_length)))


def floor_of(config: Config) -> float:
    """Return the learning rate at the end of the schedule."""
    return FLOOR * config.learning_rate if config.min_learning_rate is None else config.min_learning_rate


def _shape_problem(config: Config) -> str | None:
    if config.d_model % config.num_heads:
        return f"num_heads: {config.num_heads} heads do not divide d_model {config.d_model}; choose a divisor"
    d_head = config.d_model // config.num_heads
    if config.position == "rope" and d_head % 2:
        return (
            f"num_heads: heads of width {d_head} (d_model {config.d_model} / {config.num_heads}) cannot be rotated, "
            "which takes pairs; choose an even width or position none"
        )
    if config.feed_forward == "silu" and shape_of(config).d_ff % 2:
        return f"d_ff: silu has 3/2 d_ff hidden units, so d_ff must be even, not {config.d_ff}"
    return None


def _batch_problem(config: Config) -> str | None:
    if config.batch_size % config.accumulation_steps:
        return (
            f"accumulation_steps: {config.accumulation_steps} parts do not divide batch_size {config.batch_size}; "
            "choose a divisor"
        )
    if config.warmup_iters > n_updates(config):
        return (
            f"warmup_iters: {config.warmup_iters} updates of warm-up are more than the {n_updates(config)} updates "
            "of this run; make it smaller"
        )
    if floor_of(config) > config.learning_rate:
        return (
            f"min_learning_rate: {config.min_learning_rate} is above learning_rate {config.learning_rate}; "
            "make it smaller, or leave it out for a tenth"
        )
    return None


def has_given_tokens(config: Config) -> bool:
    """Say whether a config trains on token files that somebody else made."""
    return bool(config.train_data_path and config.train_data_path.endswith(TOKEN_FILES))


def _data_problem(config: Config) -> str | None:
    if config.vocab_size < SMALLEST_OF_TEXT and not has_given_tokens(config):
        return (
            f"vocab_size: must be greater than or equal to {SMALLEST_OF_TEXT} if text is made into tokens (256 bytes "
            f"and the end of a text), not {config.vocab_size}"
        )
    given = [name for name in ("train_data_path", "val_data_path") if getattr(config, name) is not None]
    if len(given) == 1:
        return f"{given[0]}: is given alone; give train_data_path and val_data_path, or neither"
    if given and config.dataset == MADE_HERE:
        return "dataset: 'stories' is made on the fly and reads no file; give the data of these paths another name"
    if not given and config.dataset not in (MADE_HERE, "tinystories"):
        return (
            f"dataset: {config.dataset!r} is not known here (stories, tinystories); "
            "give train_data_path and val_data_path with it"
        )
    return None
