"""The training itself: equal configs, resume, what ends it early, what it keeps; and the study for the engine."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from projects.files.problem import DataProblem
from projects.image_classifier.__main__ import STUDY
from projects.image_classifier.config import Config
from projects.image_classifier.data.load import load_images
from projects.image_classifier.device import Images
from projects.image_classifier.epoch import Mixture, _loss, _updates, train_epoch, training_batch
from projects.image_classifier.randomness import generator_of
from projects.image_classifier.train import _class_weights, train
from rothamsted.records import Outcome
from rothamsted.studies import Keep, drive
from tests.projects.declared import not_as_declared
from tests.projects.image_classifier.training import curves, measured_epochs, run, tiny

ROOT = Path(__file__).parents[3]
# Everything that a resumed training could forget: momentum, dropout, augmentation, mixup, plateau, best weights.
RICH = {
    "epochs": 4,
    "optimizer__name": "sgd",
    "optimizer__lr": 0.05,
    "optimizer__clip_norm": 1.0,
    "optimizer__accumulate": 2,
    "schedule__name": "plateau",
    "schedule__patience": 0,
    "augment__level": "strong",
    "augment__mixup": 0.4,
    "stopping__patience": 3,
}


@pytest.mark.parametrize("fields", [{}, RICH], ids=["plain", "rich"])
def test_equal_configs_give_bit_equal_metrics_and_another_seed_others(fields: dict[str, Any]) -> None:
    once, again, other = (curves(run(tiny(**fields, seed=seed))[0]) for seed in (0, 0, 1))
    assert once == again
    assert once != other


@pytest.mark.parametrize("fields", [{"schedule__name": "cosine"}, RICH], ids=["adamw", "rich"])
def test_resume_from_any_measurement_is_bit_exact(fields: dict[str, Any]) -> None:
    config = tiny(**fields)
    whole, model = run(config)
    states = []
    for measured in measured_epochs(config):
        states.append(measured.state())
    for done, state in enumerate(states, start=1):
        rest, resumed = run(config, state)
        assert curves(rest) == curves(whole)[done:]
        assert all(np.array_equal(resumed.arrays[name], array) for name, array in model.arrays.items())


def test_a_longer_training_begins_as_the_shorter_one() -> None:
    short, long = (curves(run(tiny(epochs=n, schedule__name="step", schedule__step_epochs=1))[0]) for n in (2, 4))
    assert long[:2] == short


def test_metrics_are_the_same_names_in_every_measurement_and_agree_with_each_other() -> None:
    measurements, _ = run(tiny(optimizer__clip_norm=1.0))
    assert len({tuple(measured.metrics) for measured in measurements}) == 1
    for measured in measurements:
        values = {name: float(v[0]) for name, v in measured.metrics.items()}
        # Classes of equal size: accuracy is the mean of theirs.
        of_classes = [value for name, value in values.items() if name.startswith("class_accuracy/")]
        assert values["val_accuracy"] == pytest.approx(np.mean(of_classes))
        assert values["generalization_gap"] == pytest.approx(values["train_accuracy"] - values["val_accuracy"])
        assert values["samples_seen"] == measured.step * 10
    assert [measured.step for measured in measurements] == [4, 8, 12]  # 40 images, batches of 10


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "sizes"),
    [  # of 40 images; one that would be alone goes into the batch before it
        (16, 1, [[16], [16], [8]]),
        (13, 1, [[13], [13], [14]]),
        (12, 2, [[12, 12], [12, 4]]),
        (13, 2, [[13, 13], [14]]),
    ],
)
def test_every_image_is_seen_once_an_epoch(batch_size: int, accumulate: int, sizes: list[list[int]]) -> None:
    config = tiny(batch_size=batch_size, optimizer__accumulate=accumulate)
    updates = _updates(torch.arange(40), config)
    assert [[len(rows) for rows in batches] for batches in updates] == sizes
    assert torch.cat([rows for batches in updates for rows in batches]).tolist() == list(range(40))
    measurements, _ = run(config)
    assert [measured.step for measured in measurements] == [len(sizes) * epoch for epoch in (1, 2, 3)]
    assert [measured.metrics["samples_seen"].tolist() for measured in measurements] == [[40.0], [80.0], [120.0]]


def test_a_training_that_no_longer_improves_ends_after_its_patience() -> None:
    config = tiny(epochs=50, optimizer__lr=1e-9, stopping__patience=2, stopping__min_delta=0.5)
    # The first epoch is better than nothing; no other is better by 0.5, so two more are waited for.
    assert len(run(config)[0]) == 3


def test_a_time_limit_ends_training_after_the_epoch_that_passes_it() -> None:
    assert len(run(tiny(epochs=50, stopping__time_limit=1e-6))[0]) == 1


@pytest.mark.parametrize(
    ("metric", "direction", "reduce"),
    [("val_accuracy", "maximize", "best"), ("val_loss", "minimize", "best"), ("val_accuracy", "maximize", "last")],
)
def test_the_model_has_the_weights_of_the_epoch_that_counts(metric: str, direction: Any, reduce: str) -> None:
    config = tiny(epochs=8, optimizer__lr=0.02)
    keep = Keep(metric=metric, direction=direction, reduce=reduce)
    (ending,) = drive(STUDY, [config], on_measurement=lambda member, measured: None, keep=keep)
    curve = [measured.metrics[metric] for measured in ending.history]
    best = max(curve) if direction == "maximize" else min(curve)
    assert curve[-1] != best, "the case needs a best epoch before the last"
    assert ending.kept is not None
    assert ending.kept.value == (best if reduce == "best" else curve[-1])
    data = load_images(config.data)
    probabilities = ending.model.predict(data.val.images.transpose(0, 2, 3, 1))
    found = {
        "val_accuracy": float((probabilities.argmax(1) == data.val.labels).mean()),
        "val_loss": -float(np.log(probabilities[np.arange(len(data.val.labels)), data.val.labels]).mean()),
    }
    assert found[metric] == pytest.approx(ending.kept.value, rel=1e-5)  # softmax and log, and batches of another order


def test_the_model_brings_its_own_figures_on_test_images() -> None:
    _, model = run(tiny())
    test = load_images(tiny().data).test
    assert test is not None
    predicted = model.predict(test.images.transpose(0, 2, 3, 1)).argmax(1)
    assert model.test_metrics["test/accuracy"] == pytest.approx((predicted == test.labels).mean())


def test_a_trained_model_survives_pickling_and_knows_what_it_takes() -> None:
    _, model = run(tiny(epochs=1))
    probabilities = model.predict(model.input_example)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict(model.input_example), probabilities)
    assert probabilities.sum(1) == pytest.approx(np.ones(5), abs=1e-6)
    assert model.predict(model.input_example[:0]).shape == (0, 10)
    with pytest.raises(ValueError, match=r"need \(row, 12, 12, 3\).*got \[5, 12, 12, 1\]"):
        model.predict(model.input_example[..., :1])


def test_training_learns() -> None:
    # By chance 10 % of 200, standard deviation 2.1 %: 20 % is nearly 5 of these above it.
    fields = {"data__n_train": 600, "data__n_val": 200, "data__image_size": 16, "model__width": 8}
    measurements, _ = run(tiny(epochs=8, optimizer__lr=2e-3, batch_size=20, **fields))
    assert float(measurements[-1].metrics["val_accuracy"][0]) > 0.2


def test_the_files_of_an_epoch_are_pictures_tables_and_weights() -> None:
    files = [set(measured.artifacts()[0]) for measured in measured_epochs(tiny(epochs=2, checkpoints="all"))]  # type: ignore
    at_the_end = {"classes.csv", "pictures/confusion.png", "pictures/mistakes.png"}
    assert files == [
        {"pictures/first_batch.png", "weights/epoch_001.safetensors"},
        {"weights/epoch_002.safetensors", *at_the_end},
    ]


def test_taking_the_files_changes_nothing_in_the_training() -> None:
    config, seen = tiny(), []
    for measured in measured_epochs(config):
        assert measured.artifacts is not None
        measured.artifacts()
        seen.append(measured)
    assert curves(seen) == curves(run(config)[0])


@pytest.mark.parametrize(("whole", "half"), [(20, 10), (40, 24)], ids=["equal", "24 and 16 of 40 images"])
def test_averaged_gradients_of_two_batches_are_those_of_one_of_their_rows(whole: int, half: int) -> None:
    # Without batch norm, which sees each batch by itself, the two are one update up to rounding.
    part = load_images(tiny().data).train
    images = Images(torch.from_numpy(part.images.copy()), torch.from_numpy(part.labels.copy()))
    ends = []
    for batch_size, accumulate in ((whole, 1), (half, 2)):
        config = tiny(batch_size=batch_size, optimizer__accumulate=accumulate)
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 10))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        train_epoch(network, optimizer, images, lambda x: x, None, config, 0, lambda epoch: 0.1)
        ends.append(network[1].weight.detach())
    assert torch.allclose(*ends, atol=1e-6)


def test_balanced_class_weights_are_one_over_the_frequency() -> None:
    data = load_images(tiny().data)
    labels = np.array([0] * 30 + [1] * 10)
    two = data._replace(train=data.train._replace(labels=labels), class_names=("a", "b"))
    weights = _class_weights(tiny(class_weights="balanced"), two, torch.device("cpu"))
    # By hand: 40 / (2 x 30) and 40 / (2 x 10), which is scikit-learn's 'balanced'.
    assert weights is not None
    assert weights.tolist() == pytest.approx([2 / 3, 2.0])


def test_the_loss_smooths_labels_and_shares_them_under_mixup() -> None:
    scores = torch.tensor([[2.0, 0.0, 0.0]])
    log_sum = float(np.log(np.exp(2) + 2))
    # By hand: -log p of a class is log_sum less its score; smoothing by s spreads s / 3 to each class.
    alone = Mixture(scores, torch.tensor([0]), None, 1.0)
    smoothed = 0.7 * (log_sum - 2) + 0.1 * ((log_sum - 2) + 2 * log_sum)
    assert float(_loss(scores, alone, None, 0.3)) == pytest.approx(smoothed, abs=1e-6)
    both = Mixture(scores, torch.tensor([0]), torch.tensor([1]), 0.75)
    assert float(_loss(scores, both, None, 0.0)) == pytest.approx(log_sum - 2 * 0.75, abs=1e-6)


def test_mixup_adds_two_pictures_in_the_shares_of_their_labels() -> None:
    part = load_images(tiny().data).train
    images = Images(torch.from_numpy(part.images.copy()), torch.from_numpy(part.labels.copy()))
    batch = training_batch(images, torch.arange(10), tiny(augment__mixup=1.0), generator_of(0, 2, 0, 0))  # type: ignore
    plain = images.images[:10].float() / 255
    mixed_in = (batch.images - batch.share * plain) / (1 - batch.share)
    pairs = [int((plain - one).abs().flatten(1).amax(1).argmin()) for one in mixed_in]
    assert sorted(pairs) == list(range(10))
    assert batch.other_labels is not None
    assert batch.other_labels.tolist() == images.labels[pairs].tolist()


def test_a_training_whose_loss_is_not_finite_has_diverged_and_ends() -> None:
    (ending,) = drive(
        STUDY, [tiny(optimizer__name="sgd", optimizer__lr=1e30)], on_measurement=lambda member, measured: None
    )
    assert ending.outcome is Outcome.DIVERGED


def test_bfloat16_trains_too_with_other_numbers() -> None:
    low, full = (curves(run(tiny(epochs=1, precision=precision))[0]) for precision in ("bfloat16", "float32"))
    assert low[0]["val_loss"] != full[0]["val_loss"]
    assert float(low[0]["val_loss"]) == pytest.approx(float(full[0]["val_loss"]), rel=0.2)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"batch_size": 50}, "batch_size: an update takes 50 images .* more than the 40 training images"),
        ({"batch_size": 20, "optimizer__accumulate": 3}, "batch_size: an update takes 60 images"),
        ({"model__weights": "gone.pth"}, r"gone\.pth: is not there; .*prepare_data -P dataset=b0_weights"),
    ],
)
def test_what_the_user_can_mend_is_said_in_one_line(fields: dict[str, Any], rule: str) -> None:
    base = {} if "model__weights" not in fields else {"model__family": "efficientnet_b0"}
    config = tiny(**fields) if not base else Config(model={"family": "efficientnet_b0", "weights": "gone.pth"})  # type: ignore
    with pytest.raises(DataProblem, match=rule):
        next(train([config]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said_in_one_line() -> None:
    with pytest.raises(DataProblem, match="device: cuda is not available"):
        next(train([tiny(device="cuda")]))


def test_a_state_of_another_network_is_refused() -> None:
    state = next(measured_epochs(tiny())).state()
    with pytest.raises(ValueError, match="is of another network"):
        next(train([tiny(model__width=6)], state))


def test_the_study_finishes_with_a_model_and_a_digest_of_its_images() -> None:
    seen = []
    (ending,) = drive(STUDY, [tiny()], on_measurement=lambda member, measured: seen.append(measured.step))
    assert ending.outcome is Outcome.FINISHED
    assert seen == [4, 8, 12]
    assert STUDY.data_digest is not None
    assert STUDY.data_digest(tiny(seed=1)) == STUDY.data_digest(tiny(seed=2))


def test_help_imports_neither_torch_nor_a_data_library() -> None:
    program = (
        "import sys, projects.image_classifier.__main__; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'PIL')))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=ROOT)


def test_all_that_is_logged_is_declared_and_in_its_range() -> None:
    assert not_as_declared(STUDY, tiny(optimizer__clip_norm=1.0)) == []
