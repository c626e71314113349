"""Define the trained model, which completes text: weights, shape and tokenizer.

A server of the model imports only torch and tokenizers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from projects.language_model.generate import generate
from projects.language_model.model import Transformer
from projects.language_model.shape import Shape

N_TOKENS = 64  # written for each prompt
EXAMPLES = ("Once upon a time", "One day, a little girl", "Tom and his mom")


def _requirements() -> tuple[str, ...]:
    packages = ("numpy", "torch", "tokenizers")
    return tuple(f"{name}=={version(name).split('+')[0]}" for name in packages)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """Holds a language model, as it was at the step that counts."""

    shape: Shape
    parameters: Mapping[str, np.ndarray]  # name as in `Transformer` -> float32 or float64
    tokenizer_json: str | None = field(repr=False)  # None: it takes and gives numbers of tokens
    end_token: int
    n_tokens: int = N_TOKENS
    test_metrics: Mapping[str, float] = field(default_factory=dict)  # on text that no choice used; empty: none is left
    input_example: np.ndarray = field(default_factory=lambda: np.array(EXAMPLES), repr=False)  # text, or tokens
    pip_requirements: tuple[str, ...] = field(default_factory=_requirements)

    def predict(self, x: Any) -> np.ndarray:
        """Complete prompts, each with at most `n_tokens` of the likeliest tokens, to the end of its story.

        Args:
            x: Texts, (prompt,) or (prompt, 1); without a tokenizer numbers of tokens, (prompt, token).

        Returns:
            What follows each prompt, (prompt,) text, or (prompt, n_tokens) numbers.
        """
        if self.tokenizer_json is None:
            return np.array([self._continued(row.tolist()) for row in np.asarray(x, np.int64)])
        prompts = [str(prompt) for prompt in np.asarray(x).reshape(-1)]
        return np.array([self.complete(prompt) for prompt in prompts], dtype=str)

    def complete(self, prompt: str, **how: Any) -> str:
        """Return the text after one prompt; `how` as in `generate`. An empty prompt begins a story."""
        tokens = self._tokenizer.encode(prompt).ids or [self.end_token]
        return self._tokenizer.decode(self._continued(tokens, **how))

    def _continued(self, tokens: list[int], **how: Any) -> list[int]:
        return generate(self._model, tokens, **{"n_tokens": self.n_tokens, "end": self.end_token, **how})

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        if self.tokenizer_json is None:
            raise ValueError("tokenizer_json: the model was trained only on tokens; give numbers of tokens to predict")
        return Tokenizer.from_str(self.tokenizer_json)

    @cached_property
    def _model(self) -> Transformer:
        is_double = self.parameters["embedding.weight"].dtype == np.float64
        model = Transformer(self.shape).to(torch.float64 if is_double else torch.float32)
        own = dict(model.named_parameters())  # a tied matrix is there once
        if wrong := sorted(set(own) ^ set(self.parameters)):
            raise ValueError(f"parameters: {', '.join(wrong)} came or went; these are not this model's weights")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(torch.from_numpy(np.array(self.parameters[name])))
        return model.eval()

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: no torch module and no tokenizer, which are built where they are used."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_tokenizer", "_model")}
