"""`python -m projects.global_workspace`: the only place where this study meets the engine."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from projects.files.problem import DataProblem
from projects.global_workspace.config import Config
from projects.global_workspace.data.prepare import prepare_simple_shapes
from projects.global_workspace.population import RTOL, VARIES, is_longer, static_key
from rothamsted.study import Keep, Study, main

if TYPE_CHECKING:
    from projects.global_workspace.train import Measurement
    from projects.global_workspace.trained import TrainedModel


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement | None, None, list[TrainedModel]]:
    """`projects.global_workspace.train.train`; JAX is imported when it starts, so that --help does without."""
    from projects.global_workspace.train import train as train_members

    return (yield from train_members(configs, state))


def data_digest(config: Config) -> str:
    """The digest of the rows that a config trains on and is measured on."""
    from projects.global_workspace.data.load import load_data

    return load_data(config.data).digest


STUDY = Study(
    name="global_workspace",
    config=Config,
    train=train,
    varies=VARIES,
    rtol=RTOL,
    static_key=static_key,
    extends=is_longer,
    datasets={"simple_shapes": prepare_simple_shapes},
    data_digest=data_digest,
    user_errors=(DataProblem,),
    keeps=lambda config: Keep(metric="probe/synergy_accuracy", direction="maximize", reduce="last"),
)

if __name__ == "__main__":
    main(STUDY)
