"""The training loop keeps the study contract: resume, populations, divergence, metrics, models."""

from typing import Any

import jax
import numpy as np
import pytest

from projects.batch_size.config import RTOL, Config, static_key
from projects.batch_size.data import DataProblem, load_dataset
from projects.batch_size.program import compiled_program
from projects.batch_size.tested import metrics_on_test_rows
from projects.batch_size.train import train
from projects.training.batches import NO_ROW, batch_rows
from tests.projects.batch_size.training import run

QUICK = {"width": 16, "steps": 24, "evals": 4}
TEACHER = {"name": "teacher", "n_val": 64, "dimension": 5}
ONLINE = {"loss": "mse", "data": {**TEACHER, "online": True, "noise": 0.1}}
KINDS = {
    "sgd": {},
    "momentum with warm-up and cosine": {
        "optimizer": {"name": "momentum", "lr": 0.02, "schedule": "cosine", "warmup_fraction": 0.2}
    },
    "adam": {"optimizer": {"name": "adam", "lr": 0.01}},
    "float64": {"gamma": 1e-3, "loss": "mse", "optimizer": {"lr": 1e-7}},
    "not centred": {"centered": False, "bias": False, "optimizer": {"lr": 0.02}},
    "online": {**ONLINE, "optimizer": {"lr": 0.02}},
    "fixed teacher": {"loss": "mse", "data": {**TEACHER, "n_train": 100}, "optimizer": {"lr": 0.02}},
    "one pass": {"steps": 8, "data": {"n_train": 1000}},
}


def metrics_of(measurements) -> list[dict[str, list[float]]]:
    return [{"step": [m.step], **{k: v.tolist() for k, v in m.metrics.items()}} for m in measurements]


def population(config: Config) -> list[Config]:
    """Four members that differ in what may vary."""
    rates = (1.0, 0.5, 0.3, 0.1)
    return [
        config.model_copy(
            update={
                "seed": seed,
                "gamma": config.gamma * (1 + seed / 10),
                "optimizer": config.optimizer.model_copy(update={"lr": config.optimizer.lr * rate}),
            }
        )
        for seed, rate in enumerate(rates)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_resumed_at_any_measurement_gives_identical_metrics(kind: str) -> None:
    config = Config(**{**QUICK, **KINDS[kind]})
    states, whole = [], []
    for measurement in train([config]):
        whole.append(measurement)
        states.append(measurement.state())
    for index, state in enumerate(states):
        rest, _ = run([config], state)
        assert metrics_of(rest) == metrics_of(whole[index + 1 :])


def test_a_resumed_population_gives_identical_metrics() -> None:
    configs = population(Config(**QUICK))
    whole, models = run(configs)
    rest, resumed = run(configs, whole[2].state())
    assert metrics_of(rest) == metrics_of(whole[3:])
    np.testing.assert_array_equal(models[3].parameters["layer_1.weight"], resumed[3].parameters["layer_1.weight"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_of_a_population_gets_the_numbers_it_gets_alone(kind: str) -> None:
    configs = population(Config(**{**QUICK, **KINDS[kind]}))
    together, _ = run(configs)
    for member, config in enumerate(configs):
        alone, _ = run([config])
        for mine, theirs in zip(alone, together, strict=True):
            found = {name: values[member] for name, values in theirs.metrics.items()}
            expected = {name: values[0] for name, values in mine.metrics.items()}
            assert found == pytest.approx(expected, rel=RTOL, abs=1e-12)


def test_a_model_has_the_weights_that_were_kept_also_after_a_resume() -> None:
    configs = population(Config(**QUICK))
    measured, states = [], []
    for measurement in train(configs):
        assert measurement is not None
        measurement.keep(np.array([measurement.step == 6, False, False, False]))
        measured.append(measurement)
        states.append(measurement.state())
    _, (kept, last, *_) = run(configs, states[2])
    np.testing.assert_array_equal(kept.parameters["layer_0.weight"], states[1]["parameters/0/weight"][0])
    np.testing.assert_array_equal(last.parameters["layer_0.weight"], states[-1]["parameters/0/weight"][1])
    data = load_dataset(configs[0].data)
    accuracy = float(np.mean(kept.predict(data.val_x).argmax(axis=1) == data.val_y))
    assert accuracy == pytest.approx(measured[1].metrics["val_accuracy"][0])
    assert data.test_x is not None
    assert kept.test_metrics["test/accuracy"] == np.mean(kept.predict(data.test_x).argmax(axis=1) == data.test_y)


@pytest.mark.parametrize("kind", ["sgd", "fixed teacher"])
def test_the_loss_on_test_rows_is_the_one_that_is_measured_on_the_others(kind: str) -> None:
    # The same model by NumPy and by JAX on the same rows: validation rows given as test rows.
    config = Config(**{**QUICK, **KINDS[kind]})
    measurements, (model,) = run([config])
    data = load_dataset(config.data)
    found = metrics_on_test_rows(model, data._replace(test_x=data.val_x, test_y=data.val_y), config.loss)
    assert found["test/loss"] == pytest.approx(measurements[-1].metrics["val_loss"][0], rel=1e-5)


def test_equal_configs_give_equal_metrics() -> None:
    config = Config(**QUICK)
    assert metrics_of(run([config])[0]) == metrics_of(run([config])[0])


@pytest.mark.parametrize("kind", ["sgd", "online"])
def test_seeds_give_different_metrics(kind: str) -> None:
    first, second = (run([Config(**{**QUICK, **KINDS[kind]}, seed=seed)])[0] for seed in (0, 1))
    assert first[-1].metrics["val_loss"] != second[-1].metrics["val_loss"]


def test_what_varies_does_not_compile_again() -> None:
    configs = population(Config(**{**QUICK, "evals": 3}))
    run(configs[:1])
    n_programs = compiled_program.cache_info().misses
    for config in configs[1:]:
        run([config])
    assert compiled_program.cache_info().misses == n_programs
    program = compiled_program(
        static_key(configs[0]),
        n_features=64,
        n_outputs=10,
        n_steps=24,
        has_classes=True,
        is_population=False,
        has_part=False,
    )
    assert program.advance._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]


def test_both_precisions_live_in_one_process() -> None:
    config = Config(**QUICK, gamma=1e-3, loss="mse", optimizer={"lr": 1e-7})
    in_64, _ = run([config])
    in_32, _ = run([config.model_copy(update={"precision": "float32"})])
    types = [m[-1].state()["parameters/0/weight"].dtype for m in (in_64, in_32)]
    assert types == [np.float64, np.float32]
    assert jax.numpy.ones(1).dtype == np.float32  # nothing is left switched on


@pytest.mark.parametrize(("precision", "learns"), [("auto", True), ("float32", False)])
def test_a_gamma_of_1e_8_learns_in_float64_only(precision: str, learns: bool) -> None:
    # A lazy step moves weights by about gamma, less than float32 tells from nothing (6e-8 of a weight).
    config = Config(**{**QUICK, "gamma": 1e-8, "loss": "mse", "optimizer": {"lr": 2e-17}}, precision=precision)
    first, *_, last = run([config])[0]
    assert (last.metrics["val_loss"][0] < 0.9 * first.metrics["val_loss"][0]) == learns


def test_a_member_that_diverges_ends_its_run_early() -> None:
    measurements, _ = run([Config(**QUICK, loss="mse", optimizer={"lr": 1e12})])
    assert measurements[-1].diverged.tolist() == [True]
    assert measurements[-1].step < QUICK["steps"]


def test_a_member_that_diverges_leaves_the_others_alone() -> None:
    good = Config(**QUICK, loss="mse", optimizer={"lr": 0.1})
    bad = good.model_copy(update={"optimizer": good.optimizer.model_copy(update={"lr": 1e12})})
    measurements, _ = run([good, bad])
    assert measurements[-1].step == QUICK["steps"]
    assert measurements[-1].diverged.tolist() == [False, True]


def test_a_diverged_member_stays_diverged_after_a_resume() -> None:
    bad = Config(**QUICK, loss="mse", optimizer={"lr": 1e12})
    measurements, _ = run([bad])
    rest, models = run([bad], measurements[-1].state())
    assert rest == []
    assert len(models) == 1


def test_metric_names_stay_the_same_over_a_run() -> None:
    measurements, _ = run([Config(**QUICK, target_loss=1.5)])
    assert len({tuple(m.metrics) for m in measurements}) == 1


def test_the_untrained_centred_model_is_at_the_loss_of_a_guess() -> None:
    # Output 0 for all ten classes: cross-entropy log(10).
    measurements, _ = run([Config(**QUICK)])
    assert measurements[0].step == 0
    assert measurements[0].metrics["val_loss"][0] == pytest.approx(np.log(10), rel=1e-6)


def test_steps_to_target_is_the_first_measured_step_at_the_target() -> None:
    measurements, _ = run([Config(target_loss=0.5)])
    first = next(m for m in measurements if m.metrics["val_loss"][0] <= 0.5)
    before = [m for m in measurements if m.step < first.step]
    assert all(np.isnan(m.metrics["steps_to_target"][0]) for m in before)
    assert measurements[-1].metrics["steps_to_target"][0] == first.step
    assert measurements[-1].metrics["samples_to_target"][0] == first.step * Config().batch_size


def test_an_unreached_target_is_missing() -> None:
    measurements, _ = run([Config(**QUICK, depth=1, target_loss=1e-9)])
    assert np.isnan(measurements[-1].metrics["steps_to_target"][0])


def test_the_default_run_recognises_digits() -> None:
    # Linear discriminant analysis reaches 0.95 on scikit-learn's digits; a small net must not fall below
    # 0.94.
    measurements, _ = run([Config()])
    assert measurements[-1].metrics["val_accuracy"][0] > 0.94


def test_the_learning_rate_is_that_of_the_last_update() -> None:
    config = Config(**QUICK, depth=1, optimizer={"lr": 0.3, "warmup_steps": 24})
    measurements, _ = run([config])
    # By hand: linear from 0.3/24 in the first of 24 steps to 0.3 in the last; measured after 0, 6, 12, 18,
    # 24.
    expected = [0.3 / 24, 0.3 * 6 / 24, 0.3 * 12 / 24, 0.3 * 18 / 24, 0.3]
    assert [m.metrics["learning_rate"][0] for m in measurements] == pytest.approx(expected, rel=1e-6)


def test_epochs_set_the_steps() -> None:
    # By hand: 2 epochs of 100 rows in batches of 20 are 10 steps.
    config = Config(depth=1, epochs=2, batch_size=20, evals=2, data={"n_train": 100})
    measurements, _ = run([config])
    assert [(m.step, m.epoch) for m in measurements] == [(0, 0.0), (5, 1.0), (10, 2.0)]


def test_eight_epochs_are_eight_visits_to_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def counted(*arguments: Any) -> np.ndarray:
        seen.append(batch_rows(*arguments))
        return seen[-1]

    monkeypatch.setattr("projects.batch_size.train.batch_rows", counted)
    measurements, _ = run([Config(depth=1, epochs=8, batch_size=32, evals=3)])
    rows = np.concatenate([batch.ravel() for batch in seen])
    np.testing.assert_array_equal(np.bincount(rows[rows != NO_ROW]), np.full(1257, 8))  # the rows of digits
    last = measurements[-1]
    # By hand: 8 * 1257 = 10,056 rows are 314 batches of 32 and one of 8.
    assert (last.step, last.epoch, last.metrics["samples_seen"][0]) == (315, 8.0, 10_056.0)


def test_epochs_go_on_bit_for_bit_where_they_were_stopped() -> None:
    config = Config(width=16, epochs=2.5, batch_size=48, evals=5)
    whole, _ = run([config])
    for stopped in whole[:-1]:
        resumed, _ = run([config], stopped.state())
        expected, found = whole[-1].state(), resumed[-1].state()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)


def test_a_member_sees_in_a_population_what_it_sees_alone_to_the_last_row() -> None:
    config = Config(depth=1, epochs=1, batch_size=100, evals=2, precision="float64")
    configs = [config, config.model_copy(update={"seed": 1})]
    together, alone = run(configs)[0][-1], run(configs[1:])[0][-1]
    assert together.metrics["samples_seen"].tolist() == [1257.0, 1257.0]
    assert together.metrics["val_loss"][1] == pytest.approx(alone.metrics["val_loss"][0], rel=1e-9)


def test_a_target_reached_in_the_last_batch_counts_the_rows_that_were_seen() -> None:
    config = Config(depth=1, epochs=1, batch_size=500, evals=1, target_loss=100.0, centered=False)
    measured = run([config])[0][-1].metrics
    assert measured["samples_seen"][0] == 1257.0
    assert measured["samples_to_target"][0] <= 1257.0


def test_steps_that_evals_do_not_divide_end_at_the_last_step() -> None:
    measurements, _ = run([Config(depth=1, steps=10, evals=4)])
    assert [m.step for m in measurements] == [0, 2, 5, 8, 10]  # round(k * 10 / 4), ties to even


def test_an_online_run_has_no_epochs() -> None:
    measurements, _ = run([Config(**QUICK, **ONLINE)])
    assert {m.epoch for m in measurements} == {None}


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(DataProblem, match="batch_size: 64 rows a step is more than the 50 training rows"):
        next(train([Config(batch_size=64, data={"n_train": 50})]))


def test_the_state_of_another_population_is_refused() -> None:
    state = run([Config(**QUICK)])[0][0].state()
    with pytest.raises(ValueError, match=r"state: .* where these configs have"):
        next(train([Config(**{**QUICK, "width": 32})], state))


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "linear"])
def test_the_trained_model_predicts_what_was_measured(activation: str) -> None:
    config = Config(**QUICK, activation=activation, parameterization="ntk", gamma=0.5)
    measurements, models = run([config])
    data = load_dataset(config.data)
    scores = models[0].predict(data.val_x)
    accuracy = (scores.argmax(1) == data.val_y).mean()
    log_z = np.log(np.exp(scores).sum(1))
    val_loss = (log_z - scores[np.arange(len(scores)), data.val_y]).mean()
    assert accuracy == pytest.approx(measurements[-1].metrics["val_accuracy"][0], abs=1 / 360)
    assert val_loss == pytest.approx(measurements[-1].metrics["val_loss"][0], rel=1e-4)


def test_closing_the_generator_ends_training() -> None:
    training = train([Config(**QUICK)])
    next(training)
    training.close()
    with pytest.raises(StopIteration):
        next(training)
