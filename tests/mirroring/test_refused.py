"""A replicate that W&B refuses: the others are mirrored, and it is not tried without end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.mirroring import child, writer
from rothamsted.mirroring.record import MirroredRun
from rothamsted.records import RunStatus
from rothamsted.tracking import open_recorder


class Listening:
    """Who started the process: it says `end` after a few looks at the record."""

    def __init__(self, n_looks: int) -> None:
        self.n_left = n_looks
        self.is_ending = self
        self.has_to_stop = False

    def is_set(self) -> bool:
        self.n_left -= 1
        return self.n_left <= 0

    def wait(self, seconds: float) -> None:
        assert seconds >= child.POLL_SECONDS


def asked(uri: str, folder: Path) -> dict[str, Any]:
    target = {"mode": "offline", "project": "demo", "entity": None, "group": "toys", "folder": str(folder)}
    return {"uri": uri, "experiment_id": "0", "sweep": "toys", "target": target}


def replicates(uri: str, n: int) -> None:
    """Runs of replicates as a worker leaves them."""
    with open_recorder(uri) as recorder:
        for number in range(n):
            own = {tags.SWEEP: "toys", tags.ROLE: "replicate", tags.OUTCOME: "finished", tags.REPLICATE: str(number)}
            run_id = recorder.open_run(
                experiment_id="0", name=f"seed {number}", tags=own, params={}, start_ms=1_000 * number
            )
            recorder.end_run(run_id, RunStatus.FINISHED, 1_000 * number + 1)


@pytest.mark.parametrize(("bad", "n_tried"), [({1}, 5), ({0, 1, 2, 3, 4}, 3)])
def test_a_refused_replicate_is_said_and_left_and_three_in_a_row_are_the_end(
    bad: set[int], n_tried: int, tmp_path: Path, new_mlflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = new_mlflow(tmp_path)
    replicates(uri, 5)
    tried: list[str] = []

    def write(run: MirroredRun, pictures: Mapping[Any, bytes], target: writer.Destination) -> str:
        tried.append(run.name)
        if int(run.name.split()[1]) in bad:
            raise RuntimeError("this one is odd")
        return "folder"

    monkeypatch.setattr(writer, "write", write)
    said: list[Mapping[str, Any]] = []
    child.mirror(asked(uri, tmp_path), Listening(4), said.append)  # type: ignore[arg-type]
    assert len(tried) == n_tried
    assert len(set(tried)) == n_tried  # none twice, though the record was looked at four times
    texts = [one["text"] for one in said if one["event"] == "refused"]
    assert texts == ["RuntimeError: this one is odd"] * min(len(bad), 3)
    assert sum(one["event"] == "mirrored" for one in said) == 5 - len(bad)
