"""Write text token by token: the likeliest, or drawn among the likely ones. Holtzman et al., arXiv:1904.09751."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from projects.language_model.model import Cache, Transformer


@torch.inference_mode()
def generate(
    model: Transformer,
    prompt: Sequence[int],
    *,
    n_tokens: int,
    end: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> list[int]:
    """Go on from a prompt.

    Where text outgrows the context, the model goes on from the newest half of it.

    Args:
        model: On any device.
        prompt: Token numbers, at least one.
        n_tokens: Most tokens to write.
        end: The token that ends a text; it is not returned.
        temperature: Divides the scores; 0 takes the likeliest token.
        top_p: Draw among the likeliest tokens that have this probability together.
        generator: Of the CPU; draws the tokens where temperature is above 0.

    Returns:
        The new tokens.
    """
    device = next(model.parameters()).device
    longest = model.shape.context_length
    written = list(prompt)
    cache, fresh = Cache(), written[-longest:]
    for _ in range(n_tokens):
        if cache.n_tokens + len(fresh) > longest:
            cache, fresh = Cache(), written[-max(1, longest // 2) :]
        scores = model(torch.tensor([fresh], device=device), cache)[0, -1].float().cpu()  # (v,)
        token = choose(scores, temperature=temperature, top_p=top_p, generator=generator)
        if token == end:
            break
        written.append(token)
        fresh = [token]
    return written[len(prompt) :]


def choose(scores: Tensor, *, temperature: float, top_p: float, generator: torch.Generator | None) -> int:
    """Choose one token from scores, (v,): see `generate`."""
    if temperature == 0:
        return int(scores.argmax())
    ordered, tokens = torch.softmax(scores / temperature, dim=-1).sort(descending=True, stable=True)  # (v,), (v,)
    before = ordered.cumsum(0) - ordered  # probability of all likelier tokens
    kept = torch.where(before < top_p, ordered, 0.0)  # the likeliest is always kept
    return int(tokens[torch.multinomial(kept, 1, generator=generator)])
