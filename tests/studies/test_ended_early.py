"""Members that end before their training does, and trainings that go on from the end of a shorter one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from projects.batch_size.__main__ import STUDY as BATCH_SIZE
from projects.batch_size.config import Config as BatchSize
from projects.batch_size.config import is_longer
from rothamsted.records import Ending, Outcome, Stopped
from rothamsted.studies import Checkpoint
from tests.studies.trainings import bits, run
from tests.toy import STUDY, Config

LONG, SHORT = Config(lr=0.1, steps=40, n_points=8), Config(lr=0.1, steps=20, n_points=4)


class PruneAfter:
    """A judge that prunes some members at their n-th measurement."""

    def __init__(self, n_points: int, members: Sequence[int]) -> None:
        self.n_points, self.members, self.asked = n_points, members, []

    def __call__(self, running: Sequence[int]) -> Mapping[int, Stopped]:
        self.asked.append(list(running))
        if len(self.asked) < self.n_points:
            return {}
        return {m: Stopped(outcome=Outcome.PRUNED, reason="hopeless") for m in self.members if m in running}


def without_epochs(endings: Sequence[Ending]) -> list[list[dict[str, str]]]:
    """The bits of each member; the toy's epochs are fractions of its own steps."""
    return [[{k: v for k, v in row.items() if k != "epoch"} for row in rows] for rows in bits(endings)]


def test_a_pruned_member_ends_at_the_measurement_it_was_judged_at() -> None:
    [ending] = run(Config(steps=20, n_points=10), judge=PruneAfter(3, [0]))
    assert (ending.outcome, ending.reason) == (Outcome.PRUNED, "hopeless")
    assert [m.step for m in ending.history] == [2, 4, 6]
    assert ending.model is None


def test_the_others_of_a_population_train_on_to_their_own_numbers() -> None:
    configs = [Config(seed=seed) for seed in range(3)]
    judge = PruneAfter(2, [1])
    first, pruned, last = run(*configs, judge=judge)
    assert pruned.outcome is Outcome.PRUNED
    assert len(pruned.history) == 2
    assert bits([first, last]) == bits([*run(configs[0]), *run(configs[2])])
    assert judge.asked[0] == [0, 1, 2]
    assert all(running == [0, 2] for running in judge.asked[2:])


def test_a_diverged_member_is_not_judged() -> None:
    judge = PruneAfter(1, [0, 1])
    diverged, pruned = run(Config(lr=1e4), Config(lr=0.1), judge=judge)
    assert judge.asked == [[1]]
    assert (diverged.outcome, pruned.outcome) == (Outcome.DIVERGED, Outcome.PRUNED)


def test_a_pruned_population_leaves_no_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(folder=tmp_path / "c", every_seconds=0)
    run(Config(), judge=PruneAfter(4, [0]), checkpoint=checkpoint)
    assert not (tmp_path / "c").exists()


def test_a_pruned_member_stays_pruned_when_the_others_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    configs = [Config(seed=seed) for seed in range(2)]
    checkpoint = Checkpoint(folder=tmp_path, every_seconds=0)
    judge = PruneAfter(2, [0])
    run(*configs, judge=judge, checkpoint=checkpoint, should_stop=lambda: len(judge.asked) == 5)
    pruned, finished = run(*configs, checkpoint=checkpoint)
    assert (pruned.outcome, pruned.reason, len(pruned.history)) == (Outcome.PRUNED, "hopeless", 2)
    assert finished.outcome is Outcome.FINISHED
    assert bits([finished]) == bits(run(configs[1]))


def test_the_last_state_is_kept_and_a_longer_training_goes_on_from_it_to_the_same_bits(tmp_path: Path) -> None:
    checkpoint = Checkpoint(folder=tmp_path, every_seconds=1e9)
    run(SHORT, checkpoint=checkpoint, keeps_last_state=True)
    restored: list[int] = []
    start = checkpoint.load(STUDY.name, [SHORT])
    assert start is not None
    resumed = run(LONG, start=start, on_restored=lambda member, measured: restored.append(measured.step))
    assert restored == [5, 10, 15, 20]
    assert without_epochs(resumed) == without_epochs(run(LONG))


def test_a_last_state_is_kept_without_changing_a_number(tmp_path: Path) -> None:
    kept = run(SHORT, checkpoint=Checkpoint(folder=tmp_path), keeps_last_state=True)
    assert bits(kept) == bits(run(SHORT))


def test_batch_size_trained_in_two_parts_ends_where_one_part_ends(tmp_path: Path) -> None:
    long = BatchSize(width=16, steps=40, evals=4)
    short = long.model_copy(update={"steps": 20, "evals": 2})
    assert is_longer(long, short)
    checkpoint = Checkpoint(folder=tmp_path)
    run(short, study=BATCH_SIZE, checkpoint=checkpoint, keeps_last_state=True)
    start = checkpoint.load(BATCH_SIZE.name, [short])
    [in_two] = run(long, study=BATCH_SIZE, start=start)
    [in_one] = run(long, study=BATCH_SIZE)
    assert [m.step for m in in_two.history] == [m.step for m in in_one.history]
    for two, one in zip(in_two.history, in_one.history):
        for name in ("train_loss", "val_loss", "weight_norm"):
            np.testing.assert_allclose(two.metrics[name], one.metrics[name], rtol=1e-6)  # float32 on one machine


@pytest.mark.parametrize(
    ("changed", "why_not"),
    [
        ({"steps": 100}, "shorter"),
        ({"steps": 400, "batch_size": 64}, "another batch size"),
        ({"steps": 400, "optimizer": {"schedule": "cosine"}}, "a rate that depends on the end"),
        ({"steps": 400, "optimizer": {"warmup_fraction": 0.1}}, "a warm-up that depends on the end"),
        ({"epochs": 3.0}, "epochs against steps"),
    ],
)
def test_batch_size_does_not_go_on_from_another_training(changed: dict, why_not: str) -> None:
    new = BatchSize(**{"steps": 300, **changed})
    assert not is_longer(new, BatchSize(steps=300, optimizer=new.optimizer)), why_not


def test_batch_size_goes_on_where_only_the_length_differs() -> None:
    assert is_longer(BatchSize(epochs=3.0, evals=5), BatchSize(epochs=1.0))
    assert is_longer(BatchSize(steps=300), BatchSize(steps=300))


def test_batch_size_goes_on_from_whole_epochs_only_where_their_last_batch_was_full() -> None:
    of_rows = {"batch_size": 32, "data": {"n_train": 320}}
    full, longer = BatchSize(epochs=1.0, **of_rows), BatchSize(epochs=3.0, **of_rows)
    assert BATCH_SIZE.extends(longer, full)
    cut = {"batch_size": 32, "data": {"n_train": 330}}  # the last batch of an epoch has 10 rows
    assert not BATCH_SIZE.extends(BatchSize(epochs=3.0, **cut), BatchSize(epochs=1.0, **cut))
    assert BATCH_SIZE.extends(BatchSize(epochs=1.0, evals=5, **cut), BatchSize(epochs=1.0, evals=5, **cut))
