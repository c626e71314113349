"""The small sweeps that crashes and pauses are tried on."""

from __future__ import annotations

from typing import Any

HOUR = 3600.0  # no lease is renewed before a test ends: how many writes there are is no luck then

PLAIN: dict[str, Any] = {
    "parameters": {"steps": 4, "n_points": 2, "own_noise": 0.01},
    "space": {"lr": [0.05, 1.0]},  # after 4 steps: 0.33 and 0, by 0.5 (1 - lr)^8
    "replicates": {"count": 2},
    "execution": {"lease_seconds": HOUR},
}
TOGETHER: dict[str, Any] = {**PLAIN, "execution": {"lease_seconds": HOUR, "population": 4}}
CONFIRMED: dict[str, Any] = {**PLAIN, "confirm": {"keep": 1, "replicates": 3}}
RACE: dict[str, Any] = {
    **PLAIN,
    "space": {"lr": [0.05, 0.9, 1.0]},  # 0.9 ends at 5e-9
    "replicates": {"racing": {"min": 3, "max": 5}},
    "confirm": {"keep": 1, "replicates": 3},
}
SIXTEEN: dict[str, Any] = {  # in one population, with a checkpoint at each measurement
    **PLAIN,
    "space": {"lr": [*(i / 20 for i in range(1, 16)), 1000.0]},  # the last diverges: after 2 steps it is at 5e11
    "replicates": {"count": 1},
    "execution": {"lease_seconds": HOUR, "population": 16, "checkpoint_every": 1e-6},
}
