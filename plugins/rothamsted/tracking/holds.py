"""Track which runs a recorder holds, by which number, and which it has lost to another holder."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rothamsted.errors import StoreError
from rothamsted.tracking.batch import Fence


class Holds:
    """Keeps the numbers only; `Recorder` locks and writes."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}  # by held run
        self._unplaced: set[str] = set()  # held runs that do not carry our number yet
        self._released: set[str] = set()  # held until what waits for them is written
        self.lost: frozenset[str] = frozenset()

    def token(self, run_id: str) -> int | None:
        """Return the number by which a run is held; None where it is not."""
        return self._tokens.get(run_id)

    def is_placed(self, run_id: str) -> bool:
        """Say whether the run in the store carries our number, as far as we know."""
        return run_id not in self._unplaced

    def hold(self, run_id: str, token: int) -> None:
        """Hold a run; one that is lost under this number, or under a higher one, stays lost."""
        old = self._tokens.get(run_id)
        self._released.discard(run_id)
        if run_id in self.lost and old is not None and token <= old:
            return
        self.lost -= {run_id}
        self._tokens[run_id] = token
        self._unplaced.add(run_id)

    def lose(self, run_ids: Iterable[str]) -> None:
        """Note the runs that another one holds."""
        self.lost |= frozenset(run_ids)

    def fence(self, run_ids: Iterable[str]) -> Fence:
        """Return the fence for writing to these runs."""
        tokens = {run_id: self._tokens[run_id] for run_id in run_ids if run_id in self._tokens}
        return Fence(tokens=tokens, new=frozenset(self._unplaced & tokens.keys()))

    def written(self, fence: Fence) -> None:
        """Note that the runs of the fence carry our number, or are lost."""
        self._unplaced -= fence.new

    def release(self, run_id: str) -> None:
        """Mark a run to be forgotten."""
        self._released.add(run_id)

    def forget_released(self, waiting: Collection[str]) -> None:
        """Forget the released runs for which nothing waits."""
        for run_id in [run_id for run_id in self._released if run_id not in waiting]:
            self._released.remove(run_id)
            self._tokens.pop(run_id, None)
            self._unplaced.discard(run_id)
            self.lost -= {run_id}


def checked_token(token: int) -> int:
    """Return the number of a claim if it is one."""
    if isinstance(token, bool) or not isinstance(token, int) or token < 0:
        raise StoreError(f"holder {token!r}: must be a whole number, 0 or more; give the number of the claim")
    return token
