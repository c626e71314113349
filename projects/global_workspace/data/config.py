"""Define the settings of the data, without importing data libraries, so that `--help` is quick."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, Field, model_validator

DOMAINS = ("visual", "attributes")
N_VECTOR = 11  # numbers of an attribute vector: see attributes.py
TARGET_NAMES = ("xor_target_normalized", "xor_target_bin")  # columns of a folder of exclusive-or targets
N_ROWS = MappingProxyType({"train": 8192, "val": 1024, "test": 1024})  # of simple_shapes, where none are asked for


# Fields that a folder of exclusive-or targets, or anything else, does not look at.
_IGNORED = {
    True: ("n_synergy", "n_unique", "n_redundant", "seed", "attribute_form", "visual_vae", "attribute_vae"),
    False: ("n_bins",),
}


class VisualVaeConfig(BaseModel, frozen=True, extra="forbid"):
    """Describes the variational autoencoder that turns an image into the vector of the visual domain."""

    latent: int = Field(default=8, ge=1, description="size of the latent vector")
    width: int = Field(default=8, ge=1, description="channels of the first convolution; 32 is the published network")
    beta: float = Field(default=0.1, ge=0, allow_inf_nan=False, description="weight of the KL divergence")
    n_items: int = Field(
        default=20_000, ge=1, description="items of its own to train on; of a folder: at most that many"
    )
    steps: int = Field(default=2_000, ge=1, description="optimiser steps")
    batch_size: int = Field(default=32, ge=1, description="items a step")
    lr: float = Field(default=5.0e-3, gt=0, allow_inf_nan=False, description="highest learning rate (Adam, one cycle)")
    seed: int = Field(default=0, ge=0, description="seed of its items, initial weights and batches")


class AttributeVaeConfig(BaseModel, frozen=True, extra="forbid"):
    """Describes the variational autoencoder of attribute vectors, for `attribute_form` vae."""

    latent: int = Field(default=10, ge=1, description="size of the latent vector")
    hidden: int = Field(default=64, ge=1, description="width of the hidden layers")
    beta: float = Field(default=0.05, ge=0, allow_inf_nan=False, description="weight of the KL divergence")
    n_items: int = Field(
        default=20_000, ge=1, description="items of its own to train on; of a folder: at most that many"
    )
    steps: int = Field(default=3_000, ge=1, description="optimiser steps")
    batch_size: int = Field(default=256, ge=1, description="items a step")
    lr: float = Field(default=2.0e-3, gt=0, allow_inf_nan=False, description="highest learning rate (Adam, one cycle)")
    seed: int = Field(default=0, ge=0, description="seed of its items, initial weights and batches")


class DataConfig(BaseModel, frozen=True, extra="forbid"):
    """Describes simple shapes with bits: both domains of every item, and what each domain knows about the targets.

    A field that the chosen data would ignore must keep its default: a sweep over it would otherwise
    compare equal runs. Every part has a multiple of `block_size` rows, so that all combinations of the
    bits occur equally often and what a domain knows is exact, not only so on average.
    """

    name: Literal["simple_shapes", "folder", "xor_targets"] = Field(
        default="simple_shapes",
        description="simple_shapes: drawn from the seed; folder: files of the published set; xor_targets: a folder "
        "with targets of its own",
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        description="folder: where train_labels.npy, train/ … lie; xor_targets: where train_xor_targets.npy … lie",
    )
    n_train: int | None = Field(
        default=None, ge=1, description="training rows; none: 8,192, or as many of the folder as fit"
    )
    n_val: int | None = Field(default=None, ge=1, description="validation rows; none: 1,024, or as the folder has")
    n_test: int | None = Field(default=None, ge=1, description="test rows; none: 1,024, or as the folder has")
    seed: int = Field(default=0, ge=0, description="seed of items and bits; independent of the training seed")
    n_synergy: int = Field(
        default=1, ge=1, description="targets that are the exclusive or of a visual and an attribute bit"
    )
    n_unique: int = Field(default=1, ge=0, description="bits that only one domain carries, in each domain")
    n_redundant: int = Field(default=1, ge=0, description="bits that both domains carry")
    n_bins: int = Field(default=8, ge=2, description="xor_targets: values of the target; each of its bits is a target")
    attribute_form: Literal["vector", "vae"] = Field(
        default="vector", description="attribute domain: the vector of 11 numbers, or the latent of its VAE"
    )
    visual_vae: VisualVaeConfig = Field(
        default=VisualVaeConfig(), description="the autoencoder that makes the visual domain"
    )
    attribute_vae: AttributeVaeConfig = Field(
        default=AttributeVaeConfig(), description="the autoencoder of attribute_form=vae"
    )

    @property
    def block_size(self) -> int:
        """Return the number of rows that hold every combination of bits once; 1 for the bits of a folder."""
        if self.name == "xor_targets":
            return 1
        return int(2 ** (2 * self.n_synergy + 2 * self.n_unique + self.n_redundant))

    def count(self, kind: Literal["synergy", "unique", "redundant"]) -> int:
        """Count the bits of a kind: targets, unique ones of each domain, redundant ones."""
        if self.name == "xor_targets":
            return (self.n_bins - 1).bit_length() if kind == "synergy" else 0
        return int(getattr(self, f"n_{kind}"))

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> DataConfig:
        if (self.name != "simple_shapes") != (self.path is not None):
            raise ValueError(
                f"path={self.path!r} with name={self.name!r}: name=folder and name=xor_targets need a path, "
                "and simple_shapes has none; give or remove path"
            )
        ignored = _IGNORED[self.name == "xor_targets"]
        for field in ignored:
            if getattr(self, field) != DataConfig.model_fields[field].default:
                raise ValueError(f"{field} has no effect on name={self.name!r}; leave it out")
        if self.attribute_form == "vector" and self.attribute_vae != AttributeVaeConfig():
            raise ValueError(
                "attribute_vae has no effect on attribute_form='vector'; leave it out or set attribute_form='vae'"
            )
        return self

    @model_validator(mode="after")
    def _whole_blocks(self) -> DataConfig:
        block = self.block_size
        for part in N_ROWS:
            rows = self.n_rows(part)
            if rows is not None and rows % block:
                near = [n for n in (rows // block * block, (rows // block + 1) * block) if n]
                raise ValueError(
                    f"n_{part}={rows} is not a multiple of {block}, the combinations of {block.bit_length() - 1} bits "
                    f"(2 n_synergy + 2 n_unique + n_redundant); take {' or '.join(str(n) for n in near)}, or fewer bits"
                )
        return self

    def n_rows(self, part: str) -> int | None:
        """Return the rows of a part ("train", "val", "test"), as asked for. None stands for what a folder has."""
        asked = getattr(self, f"n_{part}")
        return N_ROWS[part] if asked is None and self.name == "simple_shapes" else asked


def columns(config: DataConfig) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
    """Return the columns of each kind ("latent", "synergy", "unique", "redundant"): kind -> domain -> indices.

    Known without loading anything. Column j of "synergy" is the bit that the domain gives to target j.
    """
    counts = {"synergy": config.n_synergy, "unique": config.n_unique, "redundant": config.n_redundant}
    found: dict[str, dict[str, tuple[int, ...]]] = {kind: {} for kind in ("latent", *counts)}
    for domain, n_latent in latent_sizes(config).items():
        found["latent"][domain] = tuple(range(n_latent))
        start = n_latent
        for kind, n in counts.items():
            found[kind][domain] = tuple(range(start, start + n))
            start += n
    return found


def latent_sizes(config: DataConfig) -> dict[str, int]:
    """Return the size of each domain's vector before the bits are appended."""
    attributes = N_VECTOR if config.attribute_form == "vector" else config.attribute_vae.latent
    return {"visual": config.visual_vae.latent, "attributes": attributes}
