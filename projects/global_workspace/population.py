"""Say which configs may be trained in one compiled call, and which may go on from another's end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from projects.global_workspace.config import Config
from projects.training.population import shared_key

M = TypeVar("M", bound=BaseModel)

_COEFFICIENTS = tuple(
    f"training.loss_configs.weights.{term}" for term in ("fusion", "demi_cycle", "cycle", "translation", "contrastive")
)
# Traced or used on the host only. Two of them decide a shape as well, see `static_key`.
VARIES = frozenset(
    {
        "seed",
        "synergy.loss_scale",
        "training.optimizer.lr",
        "training.optimizer.weight_decay",
        "training.loss_configs.name",
        *_COEFFICIENTS,
        "model.workspace_dim",
        "training.n_pairs",
    }
)

# A member of a population gets the metrics that it would get alone, to this: batched matrix products sum in another
# order, and training lets rounding grow. Measured in tests/projects/global_workspace/test_train.py.
RTOL = 2e-2


def static_key(config: Config) -> Config:
    """Return a key: configs with equal keys may be trained together in one compiled call.

    It is the config with all fields that may vary at one value. A workspace's width varies where `max_workspace_dim`
    pads it. The number of pairs varies as long as a batch of pairs keeps its size.
    """
    key = config
    for name in VARIES:
        key = _replaced(key, name, _default_of(config, name))
    if config.model.max_workspace_dim is None:
        key = _replaced(key, "model.workspace_dim", config.model.workspace_dim)
    else:
        key = _replaced(key, "model.workspace_dim", config.model.max_workspace_dim)
    n_pairs = config.training.n_pairs
    return _replaced(key, "training.n_pairs", None if n_pairs is None else min(n_pairs, config.training.batch_size))


def shared_static_key(configs: Sequence[Config]) -> Config:
    """Return the static key of a population.

    Raises:
        ValueError: There is no member, or members differ in a field that may not vary.
    """
    return shared_key(configs, static_key, _difference)


def _difference(index: int, first: Config, key: Config) -> str:
    fields = [name for name in Config.model_fields if getattr(first, name) != getattr(key, name)]
    return (
        f"train: members 0 and {index} cannot share a compiled call, they differ in {', '.join(fields)}; "
        "group them by static_key (model.workspace_dim varies with the same max_workspace_dim only)"
    )


def is_longer(new: Config, old: Config) -> bool:
    """Say whether `new` is the same training as `old`, only longer, so that it may go on from its end.

    They may differ only in how long they train and how often they measure, and no learning rate may depend on the end.
    """
    if new.training.optimizer.schedule != "constant" or new.training.epochs < old.training.epochs:
        return False
    same_end = _replaced(_replaced(new, "training.epochs", old.training.epochs), "evals", old.evals)
    return same_end == old


def _replaced(model: M, name: str, value: object) -> M:
    """A copy with another value under a dotted name."""
    head, _, rest = name.partition(".")
    return model.model_copy(update={head: _replaced(getattr(model, head), rest, value) if rest else value})


def _default_of(model: BaseModel, name: str) -> object:
    head, _, rest = name.partition(".")
    return _default_of(getattr(model, head), rest) if rest else type(model).model_fields[head].default
