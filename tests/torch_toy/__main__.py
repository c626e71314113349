"""`python -m projects.line`: the only file of this study that imports the engine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from rothamsted.studies import Study, main
from tests.torch_toy.config import Config
from tests.torch_toy.line import Line
from tests.torch_toy.train import train

__all__ = ["STUDY", "Config", "InMain"]


@dataclass(frozen=True, kw_only=True)
class InMain(Line):
    """A model whose class is where no model's class may be."""


def data_digest(config: Config) -> str:
    """The data are a formula of the seed, and of the shift."""
    return hashlib.sha256(repr(np.float64(config.shift or 0.0)).encode()).hexdigest()


STUDY = Study(
    name="line",
    config=Config,
    train=train,
    varies=frozenset({"seed", "lr", "shift"}),
    rtol=0.0,
    data_digest=data_digest,
)

if __name__ == "__main__":
    main(STUDY)
