"""Processes that make one search's tables and study at the same moment: all of them find one study."""

from __future__ import annotations

import threading
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from rothamsted.search import open_queue
from rothamsted.search.storage import Direction, create_study
from rothamsted.space import Range, Space
from tests.forked import FORKED

N_ROUNDS = 8
DIRECTIONS: list[Direction] = ["minimize", "maximize"]
SPACE = Space({"x": Range(low=0.0, high=1.0)})


def _start(url: str, who: int, barrier: Any, out: Any) -> None:
    """Start one search again and again, at the same moment as the others; say what it has become."""
    for i_round in range(N_ROUNDS):
        barrier.wait(60)
        try:
            create_study(url, "s", DIRECTIONS, attributes={"who": who})
            queue = open_queue(url, "s", space=SPACE, sampler="random", seed=0, directions=DIRECTIONS, create=True)
            out.put((i_round, queue.study_id, queue.attribute("who")))
        except BaseException as error:
            out.put((i_round, repr(error), None))
        barrier.wait(60)
        if who == 0:
            study = optuna.load_study(study_name="s", storage=url)
            out.put((i_round, study._study_id, study.user_attrs["who"]))
            assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
            drop_all(url)


def drop_all(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        if engine.dialect.name == "postgresql":
            tx.execute(sa.text("DROP SCHEMA public CASCADE"))
            tx.execute(sa.text("CREATE SCHEMA public"))
        else:
            for table in sa.inspect(tx).get_table_names():
                tx.execute(sa.text(f"DROP TABLE {table}"))
    engine.dispose()


def test_processes_that_start_at_once_on_an_empty_database_make_one_study(storage_url: str) -> None:
    barrier, out = FORKED.Barrier(2), FORKED.Queue()
    processes = [FORKED.Process(target=_start, args=(storage_url, who, barrier, out)) for who in range(2)]
    for process in processes:
        process.start()
    found = [out.get(timeout=120) for _ in range(N_ROUNDS * 3)]
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    for i_round in range(N_ROUNDS):
        of_round = {(study_id, who) for i, study_id, who in found if i == i_round}
        assert len(of_round) == 1, of_round
        assert of_round <= {(1, 0), (1, 1)}


def test_a_start_that_is_cut_short_leaves_nothing(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # All in one transaction: an attribute that cannot be written takes tables and study with it.
    with pytest.raises(TypeError):
        create_study(storage_url, "s", ["minimize"], attributes={"fine": 1, "no JSON": threading.Lock()})
    engine = sa.create_engine(storage_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
