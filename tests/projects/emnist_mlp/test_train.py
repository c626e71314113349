"""The training loop keeps the study contract: resume, populations, divergence, metrics, pictures, models."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from projects.emnist_mlp.config import Config, is_longer
from projects.emnist_mlp.data import DataProblem, load_dataset
from projects.emnist_mlp.member import Member
from projects.training.measurement import Measurement
from tests.projects.emnist_mlp.training import HELD_STEP, SMALL, quick, run, taken

pytestmark = pytest.mark.usefixtures("at_home")

EVERYTHING = {
    "model": {"hidden_dims": [24, 16], "dropout": 0.3, "activation": "gelu"},
    "regularization": {"l1": 1e-5, "l2": 1e-4, "label_smoothing": 0.1},
    "augment": {"affine": 1.0, "elastic": 1.0, "noise": 0.1},
}
KINDS = {
    "adamw with everything": {**EVERYTHING, "optimizer": {"weight_decay": 0.1, "schedule": "cosine"}},
    "sgd with momentum and warm-up": {
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "warmup_fraction": 0.3}
    },
    "rmsprop with momentum": {"optimizer": {"name": "rmsprop", "momentum": 0.5}},
    "linear": {"model": {"hidden_dims": []}},
}


def metrics_of(measurements: list[Measurement]) -> list[dict[str, list[float]]]:
    return [{"step": [m.step], **{k: v.tolist() for k, v in m.metrics.items()}} for m in measurements]


def population() -> list[Config]:
    """Members that differ in what may vary."""
    return [
        quick(seed=1),
        quick(seed=2, model={"hidden_dims": [16], "dropout": 0.5, "activation": "tanh"}),
        quick(seed=2, optimizer={"lr": 0.01, "weight_decay": 0.1}, augment={"affine": 1.0}),
        quick(regularization={"l1": 1e-4, "l2": 1e-4, "label_smoothing": 0.2}),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_resumed_at_any_measurement_gives_identical_metrics(kind: str) -> None:
    config = quick(**KINDS[kind])
    whole, models = run([config])
    for index, state in enumerate(_states(config)):
        rest, resumed = run([config], state)
        assert metrics_of(rest) == metrics_of(whole[index + 1 :])
        for name, value in models[0].parameters.items():
            np.testing.assert_array_equal(resumed[0].parameters[name], value)


def _states(config: Config) -> list[dict[str, np.ndarray]]:
    """The state of every measurement, taken when the contract says: before the next one."""
    return [measurement.state() for measurement in taken([config])]


def test_a_member_of_a_population_gets_the_bits_that_it_gets_alone() -> None:
    configs = population()
    together, models = run(configs)
    for member, config in enumerate(configs):
        alone, (model,) = run([config])
        for mine, theirs in zip(alone, together, strict=True):
            assert {k: v[0] for k, v in mine.metrics.items()} == {k: v[member] for k, v in theirs.metrics.items()}
        np.testing.assert_array_equal(model.parameters["layers.1.bias"], models[member].parameters["layers.1.bias"])


def test_a_resumed_population_gives_identical_metrics() -> None:
    configs, whole, states = population(), [], []
    for measurement in taken(configs):
        whole.append(measurement)
        states.append(measurement.state())
    rest, _ = run(configs, states[2])
    assert metrics_of(rest) == metrics_of(whole[3:])


def test_equal_configs_give_equal_bits_and_seeds_other_ones() -> None:
    config = quick(**KINDS["adamw with everything"])
    first, again, other = (
        metrics_of(run([each])[0]) for each in (config, config, config.model_copy(update={"seed": 1}))
    )
    assert first == again
    assert first[-1]["validation/loss"] != other[-1]["validation/loss"]


def test_the_state_of_the_global_generators_has_no_part() -> None:
    config = quick(**KINDS["adamw with everything"])
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        found.append(metrics_of(run([config])[0]))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("short", "long"),
    [(quick(epochs=2, evals=2), quick(epochs=4, evals=4)), (quick(steps=13, evals=2), quick(steps=26, evals=4))],
    ids=["epochs", "steps"],
)
def test_a_longer_training_goes_on_from_a_shorter_one(short: Config, long: Config) -> None:
    assert is_longer(long, short)
    rest, _ = run([long], _states(short)[-1])
    whole, _ = run([long])
    assert metrics_of(rest) == metrics_of(whole[3:])


@pytest.mark.parametrize(
    "new",
    [
        quick(epochs=1),
        quick(epochs=4, optimizer={"schedule": "cosine"}),
        quick(epochs=4, optimizer={"warmup_fraction": 0.1}),
        quick(epochs=4, seed=1),
        quick(steps=100),
    ],
    ids=["shorter", "cosine", "warm-up", "another seed", "in steps"],
)
def test_another_training_is_no_longer_one(new: Config) -> None:
    assert not is_longer(new, quick(optimizer=new.optimizer.model_dump()))


def test_steps_and_epochs_are_counted_as_by_hand() -> None:
    measurements, _ = run([quick(epochs=2.5, evals=3)])
    # By hand: 6 x 47 = 282 rows, a tenth (28) for validation; 254 are 7 steps of 32 and one of 30, 20 in 2.5 epochs;
    # thirds of 20 rounded to whole steps.
    assert [m.step for m in measurements] == [0, 7, 13, 20]
    assert measurements[-1].epoch == pytest.approx((2 * 254 + 4 * 32) / 254)
    assert measurements[-1].metrics["samples_seen"].tolist() == [2 * 254 + 4 * 32]


def test_every_row_is_seen_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    config, batches = quick(epochs=3, batch_size=50), []
    seen = Member.batch

    def noted(self: Member, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = seen(self, index)
        batches.append(x.flatten(1).sum(dim=1).numpy())
        return x, y

    monkeypatch.setattr(Member, "batch", noted)
    last = run([config])[0][-1]
    assert (last.step, last.epoch, last.metrics["samples_seen"].tolist()) == (18, 3.0, [3 * 254])
    assert [len(batch) for batch in batches] == [50, 50, 50, 50, 50, 4] * 3  # 254 rows
    # An image is known by its ink.
    ink = np.sort(load_dataset(config.data).train.x.reshape(254, -1).sum(axis=1) / 255)
    for epoch in range(3):
        np.testing.assert_allclose(np.sort(np.concatenate(batches[6 * epoch : 6 * epoch + 6])), ink, rtol=1e-5)


def test_metric_names_stay_the_same_and_say_where_they_are_measured() -> None:
    measurements, _ = run([quick()])
    names = {f"{part}/{what}" for part in ("train", "validation") for what in ("loss", "accuracy")}
    for measurement in measurements:
        assert set(measurement.metrics) == names | {"gap/accuracy", "learning_rate", "weight_norm", "samples_seen"}


def test_before_training_the_loss_is_near_that_of_guessing() -> None:
    # 47 equally likely classes: log 47 = 3.85; scores of variance about 1 add about half a nat.
    (first, *_), _ = run([quick()])
    assert math.log(47) - 0.3 < first.metrics["validation/loss"][0] < math.log(47) + 1.2


def test_the_measured_loss_holds_neither_smoothing_nor_penalties() -> None:
    # At step 0 the networks are the same, so what is measured must be.
    plain, penalised = (
        run([quick(regularization=fields)])[0][0].metrics["train/loss"]
        for fields in ({}, {"l1": 0.1, "l2": 0.1, "label_smoothing": 0.5})
    )
    assert plain == penalised


def test_the_gap_is_training_less_validation_accuracy() -> None:
    last = run([quick()])[0][-1].metrics
    assert last["gap/accuracy"] == pytest.approx(last["train/accuracy"] - last["validation/accuracy"])


def test_dropout_and_distortions_are_off_where_is_measured() -> None:
    config = quick(model={"hidden_dims": [16], "dropout": 0.9}, augment={"affine": 4.0, "noise": 1.0})
    assert metrics_of(run([config])[0][:1]) == metrics_of(run([quick()])[0][:1])


def test_the_model_has_the_weights_that_were_kept_and_its_figures_on_test_rows() -> None:
    measurements, (model,) = run([quick()])
    kept = next(measurement for measurement in measurements if measurement.step == HELD_STEP)
    data = load_dataset(quick().data)

    def accuracy(rows: Any) -> float:
        scores = model.predict(rows.x.reshape(len(rows.x), -1).astype(np.float32) / 255)
        return float((scores.argmax(axis=1) == rows.y).mean())

    assert accuracy(data.validation) == pytest.approx(kept.metrics["validation/accuracy"][0])
    assert accuracy(data.validation) != pytest.approx(measurements[-1].metrics["validation/accuracy"][0])
    assert accuracy(data.test) == pytest.approx(model.test_metrics["test/accuracy"])


def test_without_a_kept_step_the_model_has_the_last_weights() -> None:
    measurements, (_, model) = run([quick(), quick(seed=2)])
    state = measurements[-1].state()
    np.testing.assert_array_equal(model.parameters["layers.0.weight"], state["1/parameters/layers.0.weight"])


def test_training_learns_the_drawn_characters() -> None:
    # 254 images of 47 classes, of which guessing gets 1/47 = 0.021: nearly all of those trained on, and many others.
    last = run([quick(epochs=20, model={"hidden_dims": [64]}, optimizer={"lr": 5e-3})])[0][-1].metrics
    assert last["train/accuracy"][0] > 0.95
    assert last["validation/accuracy"][0] > 0.3


def test_a_member_that_diverges_ends_its_run_early_and_leaves_the_others_alone() -> None:
    bad = quick(optimizer={"name": "sgd", "lr": 1e30})
    good = quick(optimizer={"name": "sgd", "lr": 0.1})
    alone, _ = run([bad])
    assert alone[-1].diverged.tolist() == [True]
    assert alone[-1].step < 16
    together, _ = run([good, bad])
    assert together[-1].diverged.tolist() == [False, True]
    assert together[-1].metrics["validation/loss"][0] == run([good])[0][-1].metrics["validation/loss"][0]


def test_the_first_measurement_has_a_picture_of_the_first_batch_of_each_member() -> None:
    measurements, _ = run([quick(), quick(seed=1, augment={"affine": 1.0})])
    assert [m.artifacts is None for m in measurements] == [False, True, True, True, True]
    assert measurements[0].artifacts is not None
    sheets = measurements[0].artifacts()
    pictures = [sheet["samples/epoch0.png"] for sheet in sheets]
    assert pictures[0] != pictures[1]
    assert all(Image.open(io.BytesIO(data)).format == "PNG" for data in pictures if isinstance(data, bytes))


def test_no_pictures_on_request() -> None:
    assert run([quick(pictures=False)])[0][0].artifacts is None


def test_a_state_of_another_network_is_refused_by_name() -> None:
    state = _states(quick())[1]
    with pytest.raises(ValueError, match=r"layers\.0\.weight is \[16, 784\] where this config has \[8, 784\]"):
        run([quick(model={"hidden_dims": [8]})], state)
    with pytest.raises(ValueError, match="has the length 1, and the number of configs is 2"):
        run([quick(), quick()], state)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"batch_size": 255}, "batch_size: 255 rows a step is more than the 254 training rows of 'fonts'"),
        ({"data": {**SMALL, "n_train": 255}}, "there are 282 rows for both, but 255 or more and 28 are asked for"),
        ({"data": {**SMALL, "n_validation": 282}}, "there are 282 rows for both, but 1 or more and 282 are asked for"),
    ],
)
def test_a_config_that_the_data_cannot_serve_is_one_line(fields: dict, rule: str) -> None:
    with pytest.raises(DataProblem, match=rule):
        run([quick(**fields)])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what the message says is missing")
def test_a_missing_accelerator_is_one_line() -> None:
    with pytest.raises(DataProblem, match="device: cuda is not available to torch on this machine; set device to cpu"):
        run([quick(device="cuda")])
