"""Show a run by hand in the terminal: its progress, and at the end its result and where to look."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from rothamsted.records import Ending, Measured, Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

LINE_SECONDS = 1.0  # at least this long between two lines where the output is not a terminal
_SHOWN_FIRST = (
    *("train_loss", "train/loss", "val_loss", "validation/loss", "val_accuracy", "validation/accuracy"),
    *("learning_rate", "samples_per_second"),
)


@final
@dataclass(kw_only=True)
class Display:
    """Shows one line that changes in a terminal; a line now and then in a file or a pipe."""

    console: Console
    clock: Callable[[], float]
    _stack: ExitStack = field(default_factory=ExitStack)
    _status: Status | None = None
    _shown_at: float = float("-inf")
    _said: str = ""  # the last line

    def __enter__(self) -> Display:
        """Start to show; the line is there while the study compiles."""
        if self.console.is_terminal:
            self._status = self._stack.enter_context(self.console.status("starting"))
        return self

    def __exit__(self, *failure: object) -> None:
        """Take the changing line away."""
        self._stack.close()
        self._status = None

    def show(self, member: int, measured: Measured) -> None:
        """Show a measurement, unless the last one was shown a moment ago."""
        if self._status is not None:
            self._status.update(line(measured))
        elif self.clock() - self._shown_at >= LINE_SECONDS:
            self._shown_at = self.clock()
            self.say(line(measured))

    def say(self, text: str) -> None:
        """Print a line as it is, unless it stands there already: the last measurement is shown again at the end."""
        if text == self._said:
            return
        self._said = text
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def line(measured: Measured) -> str:
    """Write a measurement as one line: the metrics that most studies have; all of them if it has none of those."""
    known = {_plain(name): name for name in measured.metrics}
    names = [known[name] for name in _SHOWN_FIRST if name in known] or list(measured.metrics)
    numbers = "  ".join(f"{name} {measured.metrics[name]:.4g}" for name in names)
    epoch = "" if measured.epoch is None else f"  epoch {measured.epoch:.2f}"
    return f"step {measured.step}{epoch}  {numbers}"


def _plain(name: str) -> str:
    """A metric's name without slashes: validation/loss is val_loss."""
    return name.replace("validation/", "val_").replace("/", "_")


def closing_line(ending: Ending) -> str:
    """Say in one line how a run ended."""
    n_points = len(ending.history)
    measurements = f"{n_points} measurement{'' if n_points == 1 else 's'}"
    how = {
        Outcome.FINISHED: "finished",
        Outcome.DIVERGED: f"diverged at step {ending.history[-1].step if ending.history else 0}",
        Outcome.FAILED: f"failed: {ending.reason}",
        Outcome.INTERRUPTED: f"interrupted: {ending.reason}",
    }[ending.outcome]
    return f"{how}; {measurements} in {ending.seconds:.3g} s of training"
