"""Make the artifacts of a run: text that the model writes at each evaluation, and its weights."""

from __future__ import annotations

import numpy as np
import torch

from projects.language_model.config import Config
from projects.language_model.data import Tokens
from projects.language_model.data.vocabulary import decode, encode
from projects.language_model.generate import generate
from projects.language_model.model import Transformer
from projects.language_model.state import array_of
from projects.language_model.weights import weights_bytes

_SAMPLES = 1  # this stream of a seed; batches have another


def written_text(model: Transformer, tokens: Tokens, config: Config, step: int) -> dict[str, str]:
    """Write a sample of text, by the path of its artifact; a function of weights, seed and step."""
    if config.sample_tokens == 0:
        return {}
    if tokens.tokenizer_json is None:
        return {"samples/why_none.txt": f"{tokens.why_no_text}\n"} if step == 0 else {}
    seed = int(np.random.default_rng([config.seed, _SAMPLES, step]).integers(2**63))
    written = generate(
        model,
        encode(tokens.tokenizer_json, config.sample_prompt) or [tokens.end],
        n_tokens=config.sample_tokens,
        end=tokens.end,
        temperature=config.temperature,
        top_p=config.top_p,
        generator=torch.Generator().manual_seed(seed),
    )
    text = config.sample_prompt + decode(tokens.tokenizer_json, written)
    return {f"samples/step_{step:06d}.txt": f"{text}\n"}


def kept_weights(model: Transformer, config: Config, *, step: int, val_loss: float, is_kept: bool) -> dict[str, bytes]:
    """Return the weights by the path of their artifact, at multiples of `checkpoint_interval`.

    `best` are those kept.
    """
    interval = config.checkpoint_interval
    names = [f"step_{step:06d}"] if interval is not None and step % interval == 0 and step else []
    names += ["best"] if is_kept else []
    if not names:
        return {}
    arrays = {name: array_of(parameter) for name, parameter in model.named_parameters()}
    content = weights_bytes(arrays, model.shape, step=step, val_loss=val_loss)
    return {f"checkpoints/{name}.safetensors": content for name in names}
