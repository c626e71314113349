"""How the process of a stranger's project ends: failed, over its limits, pruned, stopped, killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from rothamsted import tags
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.tracking import FoundRun, read_history
from tests.sweeping.conftest import stop_in_replicate
from tests.sweeping.strangers import Events, Home, how, runs
from tests.systems import system

__all__ = ["system"]
pytestmark = pytest.mark.usefixtures("system")

# ---- what goes wrong ----


def test_a_failed_process_is_tried_again_in_a_new_run(home: Home) -> None:
    marker = str(home.root / "marker")
    home.run(
        {
            **how("fails_once", note=marker),
            "space": {"lr": [0.25]},
            "replicates": {"count": 1},
            "execution": {"retries": 1},
        }
    )
    first, second = home.runs("trial")
    assert [(r.status, r.tags.get(tags.ATTEMPT)) for r in (first, second)] == [("FAILED", None), ("FINISHED", "2")]
    [replicate] = read_sweep("strange", uri=home.uri).replicates  # counted once
    assert (replicate.run_id, replicate.objective) == (second.run_id, pytest.approx(0.95))


def test_a_replicate_over_its_time_is_ended(home: Home) -> None:
    run = home.one({**how("well", pause=20), "execution": {"timeout_per_trial": "0.3s"}})
    assert (run.tags[tags.REASON], run.status) == ("timeout after 0.3 s", "FAILED")


def test_a_replicate_over_its_memory_is_ended(home: Home) -> None:
    run = home.one({**how("greedy"), "execution": {"memory_limit": "100MB"}})
    assert "more than the memory_limit of its sweep" in run.tags[tags.REASON]


# ---- what is stopped ----


def test_an_interrupted_replicate_starts_anew_in_a_run_of_its_own_and_counts_once(home: Home) -> None:
    changes = {"space": {"lr": [0.25]}, "replicates": {"count": 1}, **how("well", pause=0.8)}
    home.work(home.start(changes), stop_in_replicate(1, 2))
    [stopped] = home.runs("trial")
    assert (stopped.status, stopped.tags[tags.OUTCOME]) == ("KILLED", "interrupted")
    home.work(home.start(changes))
    old, new = home.runs("trial")
    assert (old.run_id, old.status, new.status) == (stopped.run_id, "KILLED", "FINISHED")
    dataset = read_sweep("strange", uri=home.uri)
    assert [(r.run_id, r.outcome, r.condition) for r in dataset.replicates] == [(new.run_id, "finished", 0)]
    assert [c.values for c in dataset.conditions] == [{"lr": 0.25}]


class Died(BaseException):
    """Stands in for the death of a worker: nothing is written down after it."""


def test_a_replicate_whose_worker_died_starts_anew_and_its_old_run_is_closed(home: Home) -> None:
    changes = {"space": {"lr": [0.25]}, "replicates": {"count": 1}, **how("well", pause=0.1)}
    context = home.start({**changes, "execution": {"lease_seconds": 0.5}})

    def die(events: Events) -> bool:
        if any(event["event"] == "start" for event in events):
            raise Died
        return False

    with pytest.raises(Died):
        home.work(context, die)
    [left] = home.runs("trial")
    assert (left.status, tags.OUTCOME in left.tags) == ("RUNNING", False)
    time.sleep(0.6)  # the lease
    home.work(context)
    check_started_anew(home, left)


def check_started_anew(home: Home, left: FoundRun) -> None:
    old, new = home.runs("trial")
    assert (old.run_id, old.status, old.tags[tags.OUTCOME]) == (left.run_id, "KILLED", "interrupted")
    assert (new.status, new.metrics["objective"]) == ("FINISHED", pytest.approx(0.95))
    dataset = read_sweep("strange", uri=home.uri)
    assert [(r.run_id, r.condition) for r in dataset.replicates] == [(new.run_id, 0)]
    assert [c.values for c in dataset.conditions] == [{"lr": 0.25}]


@pytest.mark.slow
def test_a_killed_worker_leaves_no_process_and_its_replicate_starts_anew(home: Home) -> None:
    changes = {"space": {"lr": [0.25]}, "replicates": {"count": 1}, **how("stubborn", pause=0.5)}
    context = home.start({**changes, "execution": {"lease_seconds": 0.5}})
    command = [sys.executable, "-P", "-m", "rothamsted", "worker", "--sweep", "strange", "--storage", home.storage]
    worker = subprocess.Popen(command, cwd=home.root, env=dict(os.environ), stdout=subprocess.DEVNULL)
    trained: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while not trained:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        trained = [p for p in psutil.Process(worker.pid).children(recursive=True) if runs(p, "train.py")]
    worker.kill()
    worker.wait()
    # keeper.OWNER_GONE_GRACE_SECONDS: two seconds after its worker a process that ignores SIGTERM is killed.
    assert not psutil.wait_procs(trained, timeout=10)[1]
    [left] = home.runs("trial")
    assert left.status == "RUNNING"
    time.sleep(0.5)  # the lease
    home.work(context)
    check_started_anew(home, left)


def test_a_pruner_ends_the_process_of_a_stranger_that_knows_nothing_of_it(home: Home) -> None:
    changes = {**how("well", steps=200, pause=0.05), "pruner": {"name": "threshold", "upper": 1.05}}
    events = home.run({"space": {"lr": [0.25]}, "replicates": {"count": 2}, **changes})
    [trial], [replicate] = home.runs("trial"), home.runs()
    assert (replicate.status, replicate.tags[tags.OUTCOME]) == ("KILLED", "pruned")
    assert (trial.status, trial.tags[tags.OUTCOME], "objective/mean" in trial.metrics) == ("KILLED", "pruned", False)
    # val_loss at step 1 is 1.75, more than 1.05; the second replicate is never started.
    assert "at step 1 by pruner threshold: val_loss 1.75" in trial.tags[tags.PRUNED_BECAUSE]
    assert len(read_history([replicate.run_id], ["val_loss"], uri=home.uri)[replicate.run_id]) < 200
    assert sum(event["event"] == "start" for event in events) == 1


def test_early_stopping_ends_the_process_and_the_score_counts(home: Home) -> None:
    run = home.one({**how("stalls", steps=200, pause=0.05), "early_stopping": {"patience": 3}})
    assert (run.status, run.tags[tags.OUTCOME], run.metrics["objective"]) == ("FINISHED", "finished", 0.75)
    # The first of equal values is the best; three more do not improve on it: step 4.
    assert run.tags[tags.STOPPED_EARLY].startswith("at step 4: val_loss has not improved on 0.75")
    assert len(read_history([run.run_id], ["val_loss"], uri=home.uri)[run.run_id]) < 200


def test_a_look_waits_for_the_rest_of_a_step(home: Home) -> None:
    # val_acc, which early stopping looks at, is logged 0.8 s before val_loss, which the pruner looks at: the look in
    # between must not pass for having seen the step. val_loss at step 1 is 1.75, at step 2 it is 1.25.
    stopping = {"early_stopping": {"metric": "val_acc", "direction": "maximize", "patience": 50}}
    pruner = {"pruner": {"name": "threshold", "upper": 1.5}}
    run = home.one({**how("dawdles", pause=0.8, steps=3), **stopping, **pruner})
    assert run.tags[tags.PRUNED_BECAUSE].startswith("at step 1 by pruner threshold: val_loss 1.75")
