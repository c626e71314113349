"""Measure the loss on validation text, on the same evenly spaced sequences each time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from projects.language_model.config import Config
from projects.language_model.data import Tokens, make_batch
from projects.language_model.device import in_double, precision
from projects.language_model.model import Transformer


class Validation(NamedTuple):
    """Holds the results of a model on the validation text."""

    loss: float  # nats a token
    perplexity: float
    bits_per_byte: float | None  # of the text between end-of-text tokens; None: the text of tokens is not known


def validate(model: Transformer, tokens: Tokens, config: Config, device: torch.device) -> Validation:
    """Measure a model on `eval_sequences` validation sequences, or on as many as fit side by side."""
    return _measured(model, tokens, measured_starts(len(tokens.val), config), config, device)


def measure_test(model: Transformer, tokens: Tokens, config: Config, device: torch.device) -> Validation | None:
    """Measure a model on sequences that validation leaves out; None where the text has no room for any."""
    starts = unseen_starts(len(tokens.val), config)
    return _measured(model, tokens, starts, config, device) if len(starts) else None


@torch.inference_mode()
def _measured(
    model: Transformer, tokens: Tokens, starts: np.ndarray, config: Config, device: torch.device
) -> Validation:
    bytes_of = None if tokens.bytes_of is None else torch.from_numpy(tokens.bytes_of)
    n_tokens, n_bytes, nats, nats_of_text = 0, 0, 0.0, 0.0
    for first in range(0, len(starts), config.batch_size):
        inputs, targets = make_batch(tokens.val, starts[first : first + config.batch_size], config.context_length)
        with precision(config, device):
            logits = model(torch.from_numpy(inputs).to(device))  # (b, t, v)
        goal, scores = torch.from_numpy(targets), in_double(logits.flatten(0, 1))
        each = functional.cross_entropy(scores, goal.flatten().to(scores.device), reduction="none")
        losses = each.cpu().view_as(goal)  # (b, t)
        n_tokens += goal.numel()
        nats += float(losses.sum())
        if bytes_of is not None:
            sizes = bytes_of[goal]  # (b, t)
            n_bytes += int(sizes.sum())
            nats_of_text += float(losses[sizes > 0].sum())
    loss = nats / n_tokens
    bits_per_byte = None if bytes_of is None else nats_of_text / (max(n_bytes, 1) * math.log(2))
    return Validation(loss, _exp(loss), bits_per_byte)


def measured_starts(n_tokens: int, config: Config) -> np.ndarray:
    """Say where the validation sequences of `data.seed` begin, (sequence,).

    Those of seed 0 are evenly spaced. Of another seed each is moved at random between the test sequences beside it,
    which stay where they are and share no token with any of them.
    """
    starts, length = validation_starts(n_tokens, config), config.context_length + 1
    if config.data.seed == 0:
        return starts
    tests = unseen_starts(n_tokens, config)
    before = np.searchsorted(tests, starts)  # tests that come before each sequence
    ends = np.concatenate([[0], tests + length])[before]
    nexts = np.concatenate([tests, [n_tokens]])[before]
    last = np.maximum(nexts - length, ends)
    has_room = np.bincount(before, minlength=len(tests) + 1)[before] == 1  # alone between two test sequences
    moved = np.random.default_rng(config.data.seed).integers(ends, last, endpoint=True)
    return np.where(has_room, moved, starts).astype(np.int64)


def validation_starts(n_tokens: int, config: Config) -> np.ndarray:
    """Say where the validation sequences of seed 0 begin, (sequence,): evenly spaced from first token to last."""
    n = min(config.eval_sequences, (n_tokens - 1) // config.context_length)
    return np.linspace(0, n_tokens - config.context_length - 1, n).astype(np.int64)


def unseen_starts(n_tokens: int, config: Config) -> np.ndarray:
    """Say where the test sequences begin, (sequence,): midway between two validation sequences that leave room for one.

    A sequence reads `context_length` tokens and the next; no token is in a sequence of both kinds.
    """
    starts, length = validation_starts(n_tokens, config), config.context_length + 1
    middles = (starts[:-1] + starts[1:]) // 2
    has_room = (middles - starts[:-1] >= length) & (starts[1:] - middles >= length)
    return middles[has_room]


def _exp(loss: float) -> float:
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
