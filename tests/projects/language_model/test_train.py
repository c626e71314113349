"""Training: what it measures, that it learns, that it goes on bit for bit, and what it leaves behind."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from projects.files.problem import DataProblem
from projects.language_model.__main__ import STUDY
from projects.language_model.config import Config, shape_of
from projects.language_model.data import Tokens, load_tokens
from projects.language_model.data.tinystories import prepare_tinystories
from projects.language_model.evaluate import measure_test, unseen_starts, validate, validation_starts
from projects.language_model.train import Measurement, measured_steps, train
from projects.language_model.weights import read_weights, weights_bytes
from rothamsted.studies import Keep, drive
from tests.projects.language_model.small import measurements, small, small_model, taken

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("ROTHAMSTED_REAL_DATA", ROOT.parent / "shared" / "data")) / "tinystories"
ON_THE_MACHINE = {"tokens_per_second", "peak_memory_mib"}  # measured, so they differ between equal runs


def numbers(found: list[Measurement]) -> list[dict[str, float]]:
    """The metrics that equal runs have in common, NaN as text so that they compare."""
    return [
        {name: float(value[0]).hex() for name, value in one.metrics.items() if name not in ON_THE_MACHINE}
        for one in found
    ]


def values(found: list[Measurement], name: str) -> list[float]:
    return [float(one.metrics[name][0]) for one in found]


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    return set(left) == set(right) and all(np.array_equal(left[name], right[name]) for name in left)


def test_it_is_measured_at_multiples_of_the_intervals_and_at_the_end() -> None:
    config = small(max_iterations=20, log_interval=8, eval_interval=6, checkpoint_interval=9)
    assert measured_steps(config) == [0, 6, 8, 9, 12, 16, 18, 20]


def test_between_evaluations_there_is_no_validation_loss_and_the_names_stay() -> None:
    found = measurements(small(log_interval=2, eval_interval=8))
    assert [one.step for one in found] == [0, 2, 4, 6, 8, 10, 12]
    assert [math.isnan(loss) for loss in values(found, "val_loss")] == [False, True, True, True, False, True, False]
    assert len({frozenset(one.metrics) for one in found}) == 1


def test_equal_configs_give_equal_numbers_bit_for_bit_and_another_seed_others() -> None:
    first, again, other = (numbers(measurements(small(seed=seed))) for seed in (5, 5, 6))
    assert first == again
    assert first[-1]["train_loss"] != other[-1]["train_loss"]


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("fields", [{}, {"tie_weights": True, "norm": "none", "accumulation_steps": 2}], ids=str)
def test_it_goes_on_from_any_state_bit_for_bit(at: int, fields: dict) -> None:
    config = small(checkpoint_interval=6, **fields)
    whole, last = [], {}
    for one in taken(config):
        whole.append(one)
        last = one.state()
        if len(whole) == at + 1:
            state = last
    resumed = []
    for one in taken(config, state):
        resumed.append(one)
        end = one.state()
    assert numbers(resumed) == numbers(whole)[at + 1 :]
    assert same(end, last)


def test_a_state_of_another_model_is_refused() -> None:
    state = measurements(small())[0].state()
    with pytest.raises(
        ValueError, match=r"^state: parameters/embedding\.weight is float32\[300, 16\] where this model"
    ):
        measurements(small(d_model=32), state)


def test_measuring_more_often_does_not_change_the_training() -> None:
    often, seldom = (measurements(small(log_interval=n, eval_interval=n)) for n in (1, 12))
    assert values(often, "val_loss")[-1] == values(seldom, "val_loss")[-1]
    assert np.mean(values(often, "train_loss")[1:]) == pytest.approx(values(seldom, "train_loss")[-1])


@pytest.mark.parametrize("fields", [{}, {"position": "none", "norm": "post", "feed_forward": "silu"}], ids=str)
def test_one_batch_is_learnt_by_heart(tmp_path: Path, tokens: Tokens, fields: dict) -> None:
    # A text of one sequence: every batch is the same, and a model that can learn at all reaches a loss near zero.
    for name in ("train.bin", "val.bin"):
        tokens.train[:17].tofile(tmp_path / name)
    (tmp_path / "tokenizer.json").write_text(tokens.tokenizer_json)
    paths = {"train_data_path": str(tmp_path / "train.bin"), "val_data_path": str(tmp_path / "val.bin")}
    config = small(dataset="one", **paths, d_model=32, batch_size=1, max_iterations=150, learning_rate=0.02,
                   weight_decay=0.0, log_interval=150, eval_interval=150, **fields)  # fmt: skip
    found = measurements(config)
    assert values(found, "train_loss")[0] > 4
    assert values(found, "val_loss")[-1] < 0.05


def test_it_learns_more_than_the_frequencies_of_single_tokens(tokens: Tokens) -> None:
    # The cross-entropy of validation tokens under the training text's frequencies, by counting.
    config = small(d_model=32, d_ff=64, batch_size=16, max_iterations=80, learning_rate=0.02, log_interval=80,
                   eval_interval=80, eval_sequences=64)  # fmt: skip
    assert values(measurements(config), "val_loss")[-1] < unigram_loss(tokens) - 0.5


def test_bits_per_byte_are_the_text_s_nats_over_its_bytes(tokens: Tokens) -> None:
    # Of a model whose logits are all equal: each token costs ln 300, so bits = tokens of text x log2 300 / bytes.
    config, model = small(eval_sequences=10_000, context_length=64, batch_size=64), small_model(context_length=64)
    with torch.no_grad():
        model.head.weight.zero_()
    found = validate(model, tokens, config, torch.device("cpu"))
    assert (found.loss, found.perplexity) == pytest.approx((math.log(300), 300.0))
    of_text = tokens.val != tokens.end
    expected = of_text.sum() * math.log2(300) / tokens.bytes_of[tokens.val].sum()
    assert found.bits_per_byte == pytest.approx(expected, rel=1e-3)  # but for a few tokens at the ends


def test_counts_are_those_of_the_config() -> None:
    last = measurements(small())[-1]
    counted = {name: last.metrics[name][0] for name in ("samples_seen", "tokens_seen", "parameters_without_embedding")}
    # By hand: 12 updates of 4 sequences of 16; 2 (4 16^2 + 3 x 16 x 24 + 2 x 16) + 16 + 300 x 16.
    assert counted == {"samples_seen": 48, "tokens_seen": 768, "parameters_without_embedding": 9_232}
    assert last.epoch == 768 / len(load_tokens(small()).train)


def test_a_rate_far_too_high_is_recorded_as_divergence_and_ends_the_training() -> None:
    found = measurements(small(learning_rate=1e30, min_learning_rate=1e30, norm="none", grad_clip=None))
    assert found[-1].diverged[0]
    assert found[-1].step < 12


def test_bfloat16_trains_to_about_the_loss_of_float32() -> None:
    single, half = (values(measurements(small(dtype=dtype)), "val_loss")[-1] for dtype in ("float32", "bfloat16"))
    assert half == pytest.approx(single, rel=0.01)  # bfloat16 keeps 8 bits: 0.4 % a rounding
    assert half != single


def test_text_is_written_at_each_evaluation_the_same_in_equal_runs() -> None:
    def texts() -> list[dict]:
        found = [one.artifacts()[0] for one in taken(small(eval_interval=8))]
        return [{path: text for path, text in part.items() if path.startswith("samples/")} for part in found]

    first = texts()
    assert [list(part) for part in first] == [["samples/step_000000.txt"], [], ["samples/step_000008.txt"],
                                              ["samples/step_000012.txt"]]  # fmt: skip
    assert first[0]["samples/step_000000.txt"].startswith("Once upon a time")
    assert first == texts()


def test_taking_artifacts_and_states_does_not_change_the_training() -> None:
    config, seen = small(checkpoint_interval=4), []
    for one in taken(config):
        seen.append(one)
        one.artifacts()
        one.state()
    assert numbers(seen) == numbers(measurements(config))


def test_weights_are_kept_periodically_and_where_the_validation_loss_is_lowest(tmp_path: Path) -> None:
    kept, losses, best = {}, {}, b""
    config = small(checkpoint_interval=6, eval_interval=4, learning_rate=0.02)
    for one in train([config]):
        assert one is not None
        lowest_before = min([math.inf, *(loss for loss in losses.values() if not math.isnan(loss))])
        one.keep(np.array([float(one.metrics["val_loss"][0]) < lowest_before]))
        artifacts = {path: content for path, content in one.artifacts()[0].items() if path.startswith("checkpoints/")}
        kept[one.step], losses[one.step] = sorted(artifacts), float(one.metrics["val_loss"][0])
        best = artifacts.get("checkpoints/best.safetensors", best)
    lowest = [at for at, loss in losses.items() if loss < min([math.inf, *(losses[b] for b in losses if b < at)])]
    assert [at for at in kept if "checkpoints/best.safetensors" in kept[at]] == [at for at in lowest if at % 4 == 0]
    assert [at for at in kept if f"checkpoints/step_{at:06d}.safetensors" in kept[at]] == [6, 12]
    path = tmp_path / "best.safetensors"
    path.write_bytes(best)
    shape, parameters = read_weights(path)
    model = small_model(dtype=torch.float32)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in parameters.items()})
    found = validate(model, load_tokens(config), config, torch.device("cpu"))
    assert (shape, found.loss) == (shape_of(config), min(loss for loss in losses.values() if not math.isnan(loss)))


def test_the_best_weights_are_kept_without_being_asked_for() -> None:
    artifacts = [one.artifacts()[0] for one in taken(small())]  # that of step 4 counts
    assert ["checkpoints/best.safetensors" in part for part in artifacts] == [False, True, False, False]


def test_the_model_has_the_weights_that_were_kept_and_its_figures_on_text_between_the_validation_sequences() -> None:
    config = small(learning_rate=0.1, max_iterations=24)
    keep = Keep(metric="val_loss", direction="maximize")  # the largest loss comes first, whatever the processor
    (ending,) = drive(STUDY, [config], on_measurement=lambda member, measured: None, keep=keep)
    losses = [measured.metrics["val_loss"] for measured in ending.history[1:]]
    assert losses[-1] != max(losses), "the case needs a kept step before the last"
    tokens, device = load_tokens(config), torch.device("cpu")
    assert validate(ending.model._model, tokens, config, device).loss == max(losses) == ending.kept.value
    tested = measure_test(ending.model._model, tokens, config, device)
    assert tested is not None
    assert ending.model.test_metrics["test/loss"] == tested.loss == ending.history[-1].metrics["test/loss"]
    read = [set(range(at, at + 17)) for at in validation_starts(len(tokens.val), config)]
    between = [set(range(at, at + 17)) for at in unseen_starts(len(tokens.val), config)]
    assert len(between) == 7
    assert not set().union(*read) & set().union(*between)


def test_text_without_room_between_validation_sequences_has_no_test() -> None:
    config = small(eval_sequences=10_000)
    assert len(unseen_starts(len(load_tokens(config).val), config)) == 0


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(weights_bytes({"w": np.zeros(2)}, shape_of(small()), step=1, val_loss=math.nan)[:30])
    with pytest.raises(DataProblem, match=r"best\.safetensors: is damaged .*; give a file of this study's checkpoints"):
        read_weights(path)


def test_several_configs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^train: 2 configs were given"):
        next(train([small(), small(seed=1)]))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="no folder tinystories in ROTHAMSTED_REAL_DATA or ../shared/data")
def test_on_real_stories_it_learns_more_than_pairs_of_tokens_tell(home: Path) -> None:
    prepare_tinystories(str(REAL), home / "data" / "tinystories")
    config = Config(dataset="tinystories", max_iterations=400, warmup_iters=40, log_interval=400, eval_interval=400,
                    eval_sequences=256)  # fmt: skip
    tokens = load_tokens(config)
    single, pairs = unigram_loss(tokens), bigram_loss(tokens)
    found = values(measurements(config), "val_loss")[-1]
    print(f"unigram {single:.3f}, bigram {pairs:.3f}, after {config.max_iterations} updates {found:.3f}")
    assert found < pairs - 0.2 < single - 0.2


def unigram_loss(tokens: Tokens) -> float:
    """Nats a validation token under the training text's frequencies, each count raised by 1."""
    size = len(tokens.bytes_of)
    counts = np.bincount(tokens.train, minlength=size) + 1.0
    return float(-np.log(counts / counts.sum())[tokens.val].mean())


def bigram_loss(tokens: Tokens) -> float:
    """The same given the token before: pair counts plus 10 times the single frequencies, near the best such weight."""
    size = len(tokens.bytes_of)
    counts = np.bincount(tokens.train, minlength=size) + 1.0
    train, val = tokens.train.astype(np.int64), tokens.val.astype(np.int64)
    pairs = np.bincount(train[:-1] * size + train[1:], minlength=size * size).reshape(size, size)
    smoothed = pairs + 10 * counts / counts.sum()
    chances = smoothed / smoothed.sum(1, keepdims=True)
    return float(-np.log(chances[val[:-1], val[1:]]).mean())
