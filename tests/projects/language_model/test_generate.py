"""Writing text: greedy, drawn by probability, cut at top-p, beyond the context, and served as a trained model."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from projects.language_model.data import Tokens
from projects.language_model.data.vocabulary import decode, encode
from projects.language_model.generate import choose, generate
from projects.language_model.train import train
from projects.language_model.trained import TrainedModel
from tests.projects.language_model.small import small, small_model

NO_END = -1


@pytest.fixture(scope="module")
def trained(home_of_module: None) -> TrainedModel:
    generator = train(
        [small(max_iterations=40, d_model=32, learning_rate=0.02, batch_size=8, log_interval=40, eval_interval=40)]
    )
    while True:
        try:
            next(generator)
        except StopIteration as ended:
            return ended.value[0]


@pytest.fixture(scope="module")
def home_of_module(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        yield


def test_greedy_text_is_the_likeliest_token_each_time_by_the_whole_model() -> None:
    model, expected = small_model(context_length=64), [3, 4, 5]
    for _ in range(20):
        expected.append(int(model(torch.tensor([expected]))[0, -1].argmax()))
    assert generate(model, [3, 4, 5], n_tokens=20, end=NO_END) == expected[3:]


def test_text_beyond_the_context_goes_on_from_its_newest_half() -> None:
    # A context of 8: with 8 tokens written the next sees the last 4 alone, and then one more each time.
    model, written = small_model(context_length=8), [3, 4, 5, 6, 7, 8, 9, 10]
    expected = list(written)
    for seen in (8, 4, 5, 6, 7, 8, 4):
        expected.append(int(model(torch.tensor([expected[-seen:]]))[0, -1].argmax()))
    assert generate(model, written, n_tokens=7, end=NO_END) == expected[8:]


def test_text_ends_where_the_story_does() -> None:
    model = small_model()
    first = generate(model, [3], n_tokens=1, end=NO_END)[0]
    assert generate(model, [3], n_tokens=5, end=first) == []


def test_tokens_are_drawn_by_their_probability_at_the_temperature() -> None:
    # Softmax of scores / T by hand: at T = 2 of (2 ln 4, 2 ln 2, 0): 4/7, 2/7, 1/7; 7,000 draws: sd of a share 0.006.
    scores, generator = torch.log(torch.tensor([16.0, 4.0, 1.0])), torch.Generator().manual_seed(0)
    drawn = [choose(scores, temperature=2.0, top_p=1.0, generator=generator) for _ in range(7000)]
    assert np.bincount(drawn, minlength=3) / 7000 == pytest.approx([4 / 7, 2 / 7, 1 / 7], abs=0.025)


def test_top_p_keeps_the_fewest_likeliest_tokens_that_reach_it() -> None:
    # Shares 0.5, 0.3, 0.2: 0.6 needs two tokens, drawn 5 : 3; 0.5 needs one.
    scores, generator = torch.log(torch.tensor([0.2, 0.5, 0.3])), torch.Generator().manual_seed(0)
    drawn = [choose(scores, temperature=1.0, top_p=0.6, generator=generator) for _ in range(4000)]
    assert np.bincount(drawn, minlength=3) / 4000 == pytest.approx([0, 0.625, 0.375], abs=0.03)
    assert {choose(scores, temperature=1.0, top_p=0.5, generator=generator) for _ in range(50)} == {1}


def test_a_trained_model_completes_each_prompt_and_its_copy_alike(trained: TrainedModel) -> None:
    completed = trained.predict(trained.input_example)
    assert completed.shape == (3,)
    assert completed.dtype.kind == "U"
    assert all(completed)
    assert pickle.loads(pickle.dumps(trained)).predict(trained.input_example).tolist() == completed.tolist()


def test_a_prompt_is_completed_alike_alone_and_among_others(trained: TrainedModel) -> None:
    together = trained.predict(np.array([["One day,"], ["Tom"]], dtype=object))
    assert together.tolist() == [trained.complete("One day,"), trained.complete("Tom")]


def test_an_empty_prompt_begins_a_story(trained: TrainedModel) -> None:
    assert trained.complete("").strip()


def test_a_pickled_model_holds_arrays_and_text_only(trained: TrainedModel, tokens: Tokens) -> None:
    trained.complete("Tom")
    assert set(trained.__getstate__()) == set(TrainedModel.__dataclass_fields__)
    assert trained.end_token == tokens.end


def test_weights_of_another_model_are_refused(trained: TrainedModel) -> None:
    lacking = {name: array for name, array in trained.parameters.items() if name != "head.weight"}
    broken = TrainedModel(shape=trained.shape, parameters=lacking, tokenizer_json=trained.tokenizer_json, end_token=0)
    with pytest.raises(ValueError, match=r"^parameters: head\.weight came or went"):
        broken.complete("Tom")


def test_a_model_of_tied_weights_writes_what_its_module_writes(trained: TrainedModel) -> None:
    model = small_model(dtype=torch.float32, tie_weights=True)
    parameters = {name: value.detach().numpy() for name, value in model.named_parameters()}
    served = TrainedModel(
        shape=model.shape, parameters=parameters, tokenizer_json=trained.tokenizer_json, end_token=NO_END, n_tokens=6
    )
    written = generate(model, encode(trained.tokenizer_json, "Tom"), n_tokens=6, end=NO_END)
    assert served.complete("Tom") == decode(trained.tokenizer_json, written)
