"""Prepare the data ahead of the first run, and report on it: `prepare_data -P dataset=simple_shapes`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from projects.files.problem import DataProblem
from projects.global_workspace.data.cache import FOLDER
from projects.global_workspace.data.config import DOMAINS, DataConfig
from projects.global_workspace.data.latents import autoencoder, autoencoder_path, has_autoencoder
from projects.global_workspace.data.load import load_data


def prepare_simple_shapes(
    *,
    source: str | None = None,
    target: Path | None = None,
    n_train: int | None = None,
    n_val: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    attribute_form: Literal["vector", "vae"] = "vector",
    vae_steps: int | None = None,
) -> Path:
    """Draw or read the data, train the autoencoders and fill the cache; print what reconstruction loses.

    Args:
        source: the published set's folder; None (or empty) draws simple shapes.
        target: must be left out: the study reads its cache, data/global_workspace.
        n_train: training rows; None: as in `DataConfig`.
        n_val: validation rows.
        n_test: test rows.
        seed: of items and bits.
        attribute_form: whether attributes go through their autoencoder too.
        vae_steps: steps of the visual autoencoder, where a run's data.visual_vae.steps is not the default.

    Returns:
        The visual autoencoder's file; the report is in the .json beside it.

    Raises:
        DataProblem: a setting or file cannot be used.
    """
    if target is not None:
        raise DataProblem(f"target={target}: what the study reads lies in {FOLDER}; leave target out")
    config = _config(
        name="folder" if source else "simple_shapes",
        path=source or None,
        n_train=n_train,
        n_val=n_val,
        n_test=n_test,
        seed=seed,
        attribute_form=attribute_form,
        visual_vae={} if vae_steps is None else {"steps": vae_steps},
    )
    data = load_data(config)
    print(f"{config.name}: {data.train.n} + {data.validation.n} + {data.test.n} rows, digest {data.digest[:16]}")
    for domain in DOMAINS:
        if has_autoencoder(config, domain):
            figures = autoencoder(config, domain).figures
            print(
                f"{domain} autoencoder: mean squared error {figures['mse']:.5f} on unseen rows, "
                f"{figures['explained']:.1%} of their variance explained"
            )
    return autoencoder_path(config, "visual")


def _config(**settings: object) -> DataConfig:
    try:
        return DataConfig.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        place, rule = ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")
        raise DataProblem(f"{place}: {rule}, not {first['input']!r}" if place else rule) from error
