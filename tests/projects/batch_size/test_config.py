"""What a config refuses, and which configs may share a compiled call."""

import pytest
from pydantic import ValidationError

from projects.batch_size.config import VARIES, Config, OptimizerConfig, shared_static_key, static_key

ANOTHER_VALUE = {
    "seed": 5,
    "gamma": 0.5,
    "init_scale": 2.0,
    "optimizer.lr": 0.3,
    "optimizer.momentum": 0.5,
    "optimizer.beta1": 0.8,
    "optimizer.beta2": 0.9,
    "optimizer.weight_decay": 0.1,
}


def changed(name: str, value: float) -> Config:
    head, _, field = name.partition(".")
    return Config(optimizer=OptimizerConfig(**{field: value})) if field else Config(**{head: value})


@pytest.mark.parametrize("name", sorted(VARIES))
def test_a_field_that_varies_leaves_the_static_key_alone(name: str) -> None:
    assert static_key(changed(name, ANOTHER_VALUE[name])) == static_key(Config())


@pytest.mark.parametrize("name", ["width", "depth", "batch_size", "steps", "optimizer.eps"])
def test_a_static_field_changes_the_static_key(name: str) -> None:
    assert static_key(changed(name, 2)) != static_key(Config())


def test_auto_precision_is_float64_below_a_gamma_of_one_hundredth() -> None:
    # Atanasov et al., arXiv:2410.04642: float64 when gamma_0 < 1e-2.
    assert static_key(Config(gamma=0.0099)).precision == "float64"
    assert static_key(Config(gamma=0.01)).precision == "float32"


def test_a_population_across_the_precision_border_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"members 0 and 1 .* precision: 'float32' and 'float64'"):
        shared_static_key([Config(gamma=1.0), Config(gamma=1e-3)])


def test_a_population_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="configs is empty"):
        shared_static_key([])


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"loss": "cross_entropy", "data": {"name": "teacher"}}, "set loss to mse"),
        ({"loss": "mse", "epochs": 2, "data": {"name": "teacher", "online": True}}, "have no epochs"),
        ({"optimizer": {"warmup_steps": 5, "warmup_fraction": 0.1}}, "leave one at 0"),
        ({"gamma": 0.0}, "greater than 0"),
        ({"gamma": float("inf")}, "finite"),
        ({"depht": 3}, "Extra inputs"),
    ],
)
def test_a_config_that_does_not_hold_together_is_refused(fields: dict, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Config(**fields)
