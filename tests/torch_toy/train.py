"""The training loops, one step of full-batch gradient descent at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.torch_toy.line import KINDS, Bare, Local

if TYPE_CHECKING:
    from tests.torch_toy.config import Config

N_ROWS, N_FEATURES = 32, 3


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measurement."""

    step: int
    epoch: float | None
    metrics: dict[str, np.ndarray]
    diverged: np.ndarray
    state: Callable[[], dict[str, np.ndarray]]


def train(
    configs: Sequence[Config], state: Mapping[str, np.ndarray] | None = None
) -> Generator[Measurement, None, list[Any] | None]:
    """Train a population, member by member in each step; measured after every step."""
    members = [_member(config) for config in configs]
    first = 0 if state is None else int(state["step"])
    for index, member in enumerate(members):
        if state is not None:
            member.restore({key.partition("/")[2]: v for key, v in state.items() if key.startswith(f"{index}/")})
    for step in range(first + 1, configs[0].steps + 1):
        time.sleep(configs[0].sleep_seconds)
        losses = np.array([member.step() for member in members])
        yield Measurement(
            step=step,
            epoch=float(step),
            metrics={"loss": losses, "samples_seen": np.full(len(members), float(step * N_ROWS))},
            diverged=~np.isfinite(losses),
            state=lambda step=step: {"step": np.array(step), **_states(members)},
        )
    if configs[0].model == "none":
        return None
    return [member.model() for member in members]


def data(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (row, feature) and noisy targets (row,) of a seed."""
    rng = np.random.default_rng(config.seed)
    x = rng.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5], dtype=np.float32) + rng.normal(0.0, 0.1, N_ROWS).astype(np.float32)
    return x, y + np.float32(config.shift or 0.0)


class _NumpyMember:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.x, self.y = data(config)
        self.weight, self.bias = np.zeros(N_FEATURES, np.float32), np.zeros((), np.float32)

    def step(self) -> float:
        error = self.x @ self.weight + self.bias - self.y
        self.weight = self.weight - np.float32(self.config.lr) * (self.x.T @ error) / N_ROWS
        self.bias = self.bias - np.float32(self.config.lr) * error.mean()
        return float(0.5 * ((self.x @ self.weight + self.bias - self.y) ** 2).mean())

    def state(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight, "bias": np.asarray(self.bias)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.weight, self.bias = state["weight"].copy(), state["bias"].copy()

    def model(self) -> Any:
        kind, parameters = self.config.model, {"weight": self.weight, "bias": np.asarray(self.bias)}
        if kind == "bare":
            return Bare(weight=self.weight)
        if kind == "in_main":
            from tests.torch_toy.__main__ import InMain

            return InMain(parameters=parameters, input_example=self.x[:2])
        if kind == "lambda":
            return Local(parameters=parameters, input_example=self.x[:2], secret=lambda: 1)
        if kind in ("text", "shout"):
            return KINDS[kind](parameters=parameters)
        return KINDS[kind](parameters=parameters, input_example=self.x[:2])


class _TorchMember:
    def __init__(self, config: Config) -> None:
        import torch

        from tests.torch_toy.net import Net

        x, y = data(config)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.net = Net(N_FEATURES, config.widths, config.seed)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=config.lr)

    def step(self) -> float:
        self.optimizer.zero_grad()
        loss = 0.5 * ((self.net(self.x) - self.y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def state(self) -> dict[str, np.ndarray]:
        return {name: value.detach().numpy().copy() for name, value in self.net.state_dict().items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        import torch

        self.net.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})

    def model(self) -> Any:
        from tests.torch_toy.net import TrainedNet

        return TrainedNet(self.net, self.x[:2].numpy())


def _member(config: Config) -> _NumpyMember | _TorchMember:
    return _TorchMember(config) if config.backend == "torch" else _NumpyMember(config)


def _states(members: Sequence[_NumpyMember | _TorchMember]) -> dict[str, np.ndarray]:
    return {f"{index}/{name}": value for index, member in enumerate(members) for name, value in member.state().items()}
