"""The course of the learning rate, by hand and against PyTorch's own schedulers."""

from __future__ import annotations

import math

import pytest
import torch

from projects.image_classifier.progress import Progress
from projects.image_classifier.schedule import lr_factor
from tests.projects.image_classifier.training import tiny


def test_warm_up_is_linear_and_ends_at_the_full_rate() -> None:
    config = tiny(epochs=4, schedule__warmup_epochs=2.0)
    # By hand: at the beginning of an update, the part of the two epochs that is done.
    assert [lr_factor(config, epoch, 0) for epoch in (0.0, 0.5, 1.0, 2.0, 3.5)] == [0.0, 0.25, 0.5, 1.0, 1.0]


def test_a_step_schedule_falls_every_few_epochs() -> None:
    config = tiny(epochs=9, schedule__name="step", schedule__factor=0.5, schedule__step_epochs=3)
    assert [lr_factor(config, epoch, 0) for epoch in (0.0, 2.9, 3.0, 5.9, 6.0)] == [1, 1, 0.5, 0.5, 0.25]


def test_a_cosine_is_that_of_pytorch() -> None:
    config = tiny(epochs=10, schedule__name="cosine")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for epoch in range(10):
        assert lr_factor(config, float(epoch), 0) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_a_plateau_is_that_of_pytorch() -> None:
    config = tiny(epochs=12, schedule__name="plateau", schedule__factor=0.5, schedule__patience=1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.0)
    progress = Progress()
    for loss in (5.0, 4.0, 4.1, 4.2, 4.3, 4.0, 3.9, 4.0, 4.0, 4.0, 4.0, 3.0):
        progress.epoch += 1
        progress.record({"val_loss": loss, "val_accuracy": 0.5}, config)
        theirs.step(loss)
        assert lr_factor(config, float(progress.epoch), progress.n_reductions) == theirs.get_last_lr()[0]


@pytest.mark.parametrize("epochs", [3, 5, 10, 25, 200])
def test_a_step_and_a_plateau_without_numbers_can_act_in_any_number_of_epochs(epochs: int) -> None:
    factors = [lr_factor(tiny(epochs=epochs, schedule__name="step"), float(epoch), 0) for epoch in range(epochs)]
    assert factors[0] == 1
    assert factors[-1] <= 0.3
    config, progress, rates = tiny(epochs=epochs, schedule__name="plateau"), Progress(), []
    for _ in range(epochs):
        rates.append(lr_factor(config, float(progress.epoch), progress.n_reductions))
        progress.epoch += 1
        progress.record({"val_loss": 1.0, "val_accuracy": 0.5}, config)  # never better than the first
    assert rates[0] == 1
    assert rates[-1] <= 0.3
    # As written out for ten epochs: the numbers that were the defaults for any number of them.
    assert (config.schedule.step_in(10), config.schedule.patience_in(10)) == (5, 2)


def test_how_restless_accuracy_is_counts_the_last_third_of_the_epochs() -> None:
    progress, seen = Progress(), []
    for value in (0.1, 0.3, 0.5, 0.6, 0.8, 0.7, 0.9, 0.8, 0.7):
        progress.accuracies.append(value)
        seen.append(progress.sd_of_last_third())
    # By hand: none of one value; |a - b| / sqrt(2) of two; of nine epochs 0.9, 0.8, 0.7, whose sd is 0.1.
    assert math.isnan(seen[0])
    assert seen[1] == pytest.approx(0.2 / math.sqrt(2))
    assert seen[5] == pytest.approx(0.1 / math.sqrt(2))
    assert seen[8] == pytest.approx(0.1)
