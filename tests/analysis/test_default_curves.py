"""Which curves an analysis reads when nobody says which."""

from __future__ import annotations

from rothamsted.analysis.curves import default_curves


def test_the_objective_its_training_partner_and_the_learning_rate_are_read() -> None:
    known = {"val_loss", "train_loss", "learning_rate", "grad_norm"}
    assert default_curves("val_loss", known) == ["val_loss", "train_loss", "learning_rate"]


def test_beside_an_objective_that_is_no_loss_one_loss_is_read() -> None:
    known = {"probe/accuracy", "validation/loss", "train/loss", "seconds"}
    assert default_curves("probe/accuracy", known) == ["probe/accuracy", "validation/loss"]


def test_only_metrics_that_were_logged_are_read() -> None:
    assert default_curves("val_accuracy", {"val_accuracy"}) == ["val_accuracy"]
