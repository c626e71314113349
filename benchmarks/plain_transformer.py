"""Train the transformer of `language_model` by a plain loop: batches, AdamW, cosine, nothing kept."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from projects.language_model.config import Config, n_updates, shape_of
from projects.language_model.data import load_tokens
from projects.language_model.device import open_device
from projects.language_model.model import Transformer


class PlainLoop:
    """Trains once; it looks at as many validation tokens as the study, and keeps the losses."""

    def __init__(self, config: Config) -> None:
        """Untrained."""
        self.config, self.device, self.tokens = config, open_device(config), load_tokens(config)
        torch.manual_seed(config.seed)
        model = Transformer(shape_of(config), torch.Generator().manual_seed(config.seed)).to(self.device)
        self.model = torch.compile(model) if config.compile else model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), fused=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, n_updates(config))
        self.rng, self.losses = np.random.default_rng(config.seed), []

    def update(self, n: int) -> None:
        """Make some updates."""
        tokens, config = self.tokens.train, self.config
        for _ in range(n):
            self.optimizer.zero_grad()
            starts = self.rng.integers(0, len(tokens) - config.context_length, config.batch_size)
            self._loss(tokens, starts).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()

    @torch.inference_mode()
    def look(self) -> None:
        """Measure the loss of validation sequences."""
        tokens, size = self.tokens.val, self.config.batch_size
        starts = np.linspace(0, len(tokens) - self.config.context_length - 1, self.config.eval_sequences).astype(int)
        chunks = [starts[i : i + size] for i in range(0, len(starts), size)]
        self.losses.append(float(torch.stack([self._loss(tokens, chunk) for chunk in chunks]).mean()))

    def _loss(self, tokens: np.ndarray, starts: np.ndarray) -> torch.Tensor:
        length = self.config.context_length
        rows = np.stack([tokens[at : at + length + 1] for at in starts]).astype(np.int64)
        batch = torch.from_numpy(rows).to(self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.config.dtype == "bfloat16"):
            return functional.cross_entropy(self.model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
