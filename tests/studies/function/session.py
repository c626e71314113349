"""A training of a function in a process of its own, which may kill itself on its way.

python -m tests.studies.function.session FOLDER KILL_AT_EPOCH
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rothamsted import report
from rothamsted.studies import Checkpoint, drive, set_fields
from rothamsted.studies.function import as_study

EPOCHS = 9


def fit(seed: int, lr: float = 0.05, kill_at: int = -1, state: Any = None):
    """A net that draws from every global generator: its weights, its batches, its dropout, its noise."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    if state:
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
    for epoch in range(state["epoch"] if state else 0, EPOCHS):
        if epoch == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        x = torch.randn(16, 4) * random.uniform(0.5, 2)
        loss = ((net(x) - float(np.random.normal())) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report(
            loss=loss,
            state=lambda epoch=epoch: {
                "net": net.state_dict(),
                "optimizer": optimizer.state_dict(),
                "epoch": epoch + 1,
            },
        )


def losses(folder: Path, kill_at: int, **how: Any) -> list[str]:
    """Train, or go on; `kill_at` is no part of the config, so that the same training goes on.

    Returns:
        The losses as hexadecimal numbers, bit by bit.
    """
    study = as_study(lambda seed, lr=0.05, state=None: fit(seed, lr, kill_at, state))
    config = set_fields(study.config, {"seed": 5})
    checkpoint = Checkpoint(folder=folder, every_seconds=0)
    [ending] = drive(study, [config], on_measurement=lambda member, measured: None, checkpoint=checkpoint, **how)
    return [float(one.metrics["loss"]).hex() for one in ending.history]


if __name__ == "__main__":
    losses(Path(sys.argv[1]), int(sys.argv[2]))
