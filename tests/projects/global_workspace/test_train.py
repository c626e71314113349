"""The training loop keeps the study contract: resume, populations, padding, divergence, metrics, models."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from projects.files.problem import DataProblem
from projects.global_workspace import arrays
from projects.global_workspace.config import TERMS, Config
from projects.global_workspace.data.config import DataConfig
from projects.global_workspace.data.dataset import WorkspaceData
from projects.global_workspace.population import RTOL, static_key
from projects.global_workspace.program import compiled_program
from projects.global_workspace.readouts import readout_names
from projects.global_workspace.train import train
from tests.projects.global_workspace.made_up import made_up_data
from tests.projects.global_workspace.training import quick, run, values_of

pytestmark = pytest.mark.usefixtures("made_up")


def population() -> list[Config]:
    """Four members that differ in all that may vary but the number of pairs."""
    return [
        quick(seed=0),
        quick(seed=1, synergy__loss_scale=0.1, model__workspace_dim=2),
        quick(seed=2, training__optimizer__lr=1e-3, training__loss_configs__weights__cycle=0.0),
        quick(seed=3, training__optimizer__weight_decay=0.1, model__workspace_dim=7),
    ]


def test_a_run_resumed_at_any_measurement_gives_identical_metrics_and_model() -> None:
    whole, (model,) = run([quick()])
    for index, measurement in enumerate(whole):
        rest, (resumed,) = run([quick()], measurement.state())
        np.testing.assert_equal(values_of(rest), values_of(whole[index + 1 :]))
        for name, array in model.parameters.items():
            np.testing.assert_array_equal(resumed.parameters[name], array)


@pytest.mark.slow
def test_a_member_of_a_population_gets_the_numbers_it_gets_alone_also_after_a_resume() -> None:
    configs = population()
    together, _ = run(configs)
    rest, _ = run(configs, together[1].state())
    for member, config in enumerate(configs):
        np.testing.assert_equal(values_of(rest, member), values_of(together[2:], member))
        for mine, theirs in zip(values_of(run([config])[0]), values_of(together, member), strict=True):
            # A probe that reads one of 64 test rows otherwise moves an accuracy by 1/64, information by some 0.1 bit.
            counted = {name for name in mine if name.startswith(("probe/", "decoder/", "pid/"))}
            assert theirs == pytest.approx({**mine, **{name: theirs[name] for name in counted}}, rel=RTOL, nan_ok=True)
            assert [theirs[n] for n in counted] == pytest.approx([mine[n] for n in counted], abs=0.1, nan_ok=True)


def test_every_row_is_seen_once_an_epoch_and_a_resume_has_the_same_bits() -> None:
    config = quick(training__batch_size=60, training__n_pairs=250)
    whole, _ = run([config])
    # By hand: 256 rows are four batches of 60 and one of 16, three times.
    assert [(m.step, m.epoch, m.metrics["samples_seen"][0]) for m in whole] == [
        (0, 0.0, 0.0),
        (5, 1.0, 256.0),
        (10, 2.0, 512.0),
        (15, 3.0, 768.0),
    ]
    rest, _ = run([config], whole[1].state())
    np.testing.assert_equal(values_of(rest), values_of(whole[2:]))


@pytest.mark.slow
def test_a_padded_workspace_trains_as_the_smaller_one() -> None:
    # Padding adds zeros to sums; their order may change, so rounding is all that can differ.
    padded, (model,) = run([quick(model__workspace_dim=5, model__max_workspace_dim=7)])
    plain, (same,) = run([quick(model__workspace_dim=5, model__max_workspace_dim=None)])
    for mine, theirs in zip(values_of(plain), values_of(padded), strict=True):
        assert theirs == pytest.approx(mine, rel=1e-3, abs=1e-6, nan_ok=True)
    assert {n: a.shape for n, a in model.parameters.items()} == {n: a.shape for n, a in same.parameters.items()}


def test_padded_coordinates_take_no_part_in_training() -> None:
    measurements, _ = run([quick()])
    state = measurements[-1].state()
    for domain in ("visual", "attributes"):
        assert not state[f"parameters/encoders/{domain}/1/weight"][0, :, 5:].any()
        assert not state[f"parameters/encoders/{domain}/1/bias"][0, 5:].any()
        assert not state[f"parameters/decoders/{domain}/0/weight"][0, 5:, :].any()
        assert state[f"parameters/decoders/{domain}/0/weight"][0, :5, :].any()


def test_what_varies_does_not_compile_again() -> None:
    configs = population()
    run(configs[:1])
    n_programs = compiled_program.cache_info().misses
    for config in configs[1:]:
        run([config])
    assert compiled_program.cache_info().misses == n_programs
    dims = tuple(sorted(made_up_data(configs[0].data).dims.items()))
    program = compiled_program(static_key(configs[0]), dims=dims, n_steps=12, is_population=False, has_part=False)
    assert program.advance._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]


def test_equal_configs_give_equal_metrics_and_seeds_different_ones() -> None:
    first, again, other = (values_of(run([quick(seed=seed)])[0]) for seed in (0, 0, 1))
    np.testing.assert_equal(first, again)
    assert first[-1]["validation/loss"] != other[-1]["validation/loss"]


@pytest.mark.slow
def test_a_member_that_diverges_leaves_the_others_alone_and_has_no_readouts() -> None:
    good, bad = quick(), quick(training__optimizer__lr=1e30)
    measurements, _ = run([good, bad, good, good])
    assert measurements[-1].diverged.tolist() == [False, True, False, False]
    accuracy = measurements[-1].metrics["decoder/synergy_accuracy"]
    assert np.isnan(accuracy).tolist() == [False, True, False, False]


def test_a_run_whose_only_member_diverges_ends_early() -> None:
    measurements, _ = run([quick(training__optimizer__lr=1e30)])
    assert measurements[-1].diverged.tolist() == [True]
    assert measurements[-1].step < 12  # 3 epochs of 256 / 64 = 4 steps


def test_readouts_are_missing_until_the_last_step_under_the_same_names() -> None:
    measurements, _ = run([quick()])
    assert [(m.step, m.epoch) for m in measurements] == [(0, 0.0), (4, 1.0), (8, 2.0), (12, 3.0)]
    assert len({tuple(m.metrics) for m in measurements}) == 1
    for name in readout_names(quick()):
        assert [bool(np.isnan(m.metrics[name][0])) for m in measurements] == [True, True, True, False], name


def test_the_best_validation_loss_is_the_lowest_since_the_first_update() -> None:
    values = values_of(run([quick()])[0])
    assert np.isnan(values[0]["validation/best_loss"])
    for index in (1, 2, 3):
        losses = [value["validation/loss"] for value in values[1 : index + 1]]
        assert values[index]["validation/best_loss"] == min(losses)


def test_the_validation_loss_does_not_know_the_scale_of_the_prior() -> None:
    # Untrained members of one seed are one model: only what is minimised may differ.
    small, large = (values_of(run([quick(synergy__loss_scale=scale)])[0])[0] for scale in (0.1, 10.0))
    assert small["validation/loss"] == large["validation/loss"]
    # By definition, 6 terms: the objectives differ by (10 - 0.1) / 6 of the synergy term.
    difference = large["train/objective"] - small["train/objective"]
    assert difference == pytest.approx(9.9 / 6 * small["train/synergy"], rel=1e-4)


def test_losses_of_training_and_validation_measure_the_same_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    # On equal rows every loss and every term of it is equal, whatever the prior's scale, to the last bit.
    def same_rows(config: DataConfig) -> WorkspaceData:
        data = made_up_data(config)
        return replace(data, validation=data.train)

    for module in ("train", "arrays"):
        monkeypatch.setattr(f"projects.global_workspace.{module}.load_data", same_rows)
    arrays.device_arrays.cache_clear()
    for measured in values_of(run([quick(synergy__loss_scale=3.0)])[0]):
        for name in ("loss", *TERMS):
            assert measured[f"train/{name}"] == measured[f"validation/{name}"], name
    arrays.device_arrays.cache_clear()


def test_test_rows_choose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other test rows change what is below test/ alone: no measurement of training, no probe that may choose.
    expected, (model,) = run([quick()])

    def other_test_rows(config: DataConfig) -> WorkspaceData:
        data = made_up_data(config)
        return replace(data, test=data.validation)

    for module in ("train", "arrays"):
        monkeypatch.setattr(f"projects.global_workspace.{module}.load_data", other_test_rows)
    arrays.device_arrays.cache_clear()
    found, (other,) = run([quick()])
    arrays.device_arrays.cache_clear()
    np.testing.assert_equal(values_of(found), values_of(expected))
    assert other.test_metrics != model.test_metrics
    last = values_of(found)[-1]
    for name in ("probe/synergy_accuracy", "decoder/synergy_accuracy", "pid/synergistic"):
        assert other.test_metrics[f"test/{name}"] == last[name]  # of the same rows, now


def test_a_gradient_is_cut_to_the_longest_that_is_allowed() -> None:
    # Adam divides by the gradient's own size unless eps is far above it: then the first moves are as long as it.
    slow = {"training__optimizer__eps": 1.0, "training__optimizer__schedule": "constant"}
    moved = []
    for most in (None, 1e6, 1e-6):
        training = train([quick(**slow, training__grad_clip=most)])
        before, after = values_of([one for one in islice(training, 2) if one is not None])
        training.close()  # what is read out of a trained network takes as long again
        moved.append(abs(after["train/objective"] - before["train/objective"]))
    assert moved[0] == moved[1] > 100 * moved[2]


def test_the_trained_model_predicts_what_was_measured() -> None:
    measurements, (model,) = run([quick()])
    data, last = made_up_data(quick().data), values_of(measurements)[-1]
    measured = {"validation": last["readout/reconstruction_vectors_mse"]}
    measured["test"] = model.test_metrics["test/reconstruction_vectors_mse"]
    for part, rows in (("validation", data.validation), ("test", data.test)):
        out = model.predict(rows.domains)
        errors = [np.mean((out[domain] - rows.domains[domain]) ** 2) for domain in ("visual", "attributes")]
        assert np.mean(errors) == pytest.approx(measured[part], rel=1e-4)
    for domain in ("visual", "attributes"):  # the name says over which columns of the test rows a mean is
        for part, kind in (("features", "latent"), ("sources", "synergy")):
            own = list(data.columns[kind][domain])
            error = np.mean((out[domain] - rows.domains[domain])[:, own] ** 2)
            found = model.test_metrics[f"test/reconstruction_{domain}_{part}_mse"]
            assert error == pytest.approx(found, rel=1e-4)
    assert out["workspace"].shape == (64, 5)
    assert out["synergy"].shape == (64, 1)


def test_a_model_has_the_weights_that_were_kept_also_after_a_resume() -> None:
    training, states = train([quick()]), []
    for measurement in training:
        assert measurement is not None
        measurement.keep(np.array([measurement.step == 4]))
        states.append(measurement.state())
    _, (resumed,) = run([quick()], states[2])
    _, (last,) = run([quick()])
    name = "encoders.visual.0.weight"
    np.testing.assert_array_equal(resumed.parameters[name], states[1]["parameters/encoders/visual/0/weight"][0])
    assert not np.array_equal(resumed.parameters[name], last.parameters[name])
    assert resumed.test_metrics != last.test_metrics


@pytest.mark.slow
def test_matched_rows_and_random_shares_train_and_resume() -> None:
    config = quick(training__n_pairs=70, model__selection="random")
    whole, _ = run([config])
    rest, _ = run([config], whole[1].state())
    np.testing.assert_equal(values_of(rest), values_of(whole[2:]))
    more, _ = run([quick(training__n_pairs=80, model__selection="random")])
    assert more[-1].metrics["train/loss"] != whole[-1].metrics["train/loss"]


@pytest.mark.parametrize(("field", "value"), [("training__n_pairs", 257), ("training__batch_size", 512)])
def test_more_rows_than_there_are_is_refused(field: str, value: int) -> None:
    with pytest.raises(DataProblem, match=f"{value} is more than the 256 training rows"):
        next(train([quick(**{field: value})]))


def test_members_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="members 0 and 1 cannot share a compiled call, they differ in model"):
        next(train([quick(), quick(model__hidden_dim=9)]))


def test_the_state_of_another_population_is_refused() -> None:
    state = run([quick()])[0][0].state()
    with pytest.raises(ValueError, match=r"state: .* where these configs have"):
        next(train([quick(model__max_workspace_dim=None)], state))
