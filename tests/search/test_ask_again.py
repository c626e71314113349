"""An adaptive sampler that is cut off from the database while it is asked proposes what it would have proposed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from rothamsted.search import Lease, Told
from rothamsted.search.ask import Asker
from rothamsted.search.patience import Database, Patient
from rothamsted.search.samplers import sampler_named
from rothamsted.search.sql.ended import end_trial
from rothamsted.search.sql.leases import LEASE
from rothamsted.search.sql.tables import PARAMS, STUDIES, TRIALS, now_as_stored, set_trial_attributes
from rothamsted.search.storage import create_study
from rothamsted.space import Choice, Range, Space
from tests.search.cutting_proxy import CuttingProxy, cutting_proxy

N_TRIALS = 24
N_COMMITS = 3  # that a proposal takes at least
SPACES = {
    "tpe": Space(
        {
            "x": Range(low=-5.0, high=5.0),
            "kind": Choice(values=("a", "b")),
            "m": Range(low=0.0, high=0.9, when={"kind": ("a",)}),
        }
    ),
    "cmaes": Space({"x": Range(low=-5.0, high=5.0), "y": Range(low=1.0, high=64.0, log=True)}),
}


def asked(url: str, sampler: str, *, through: str | None = None, proxy: CuttingProxy | None = None) -> list[Any]:
    """Conditions of trials, asked and told one after the other; through a proxy each is cut off at some commit."""
    create_study(url, "s", ["minimize"])
    backend: Any = RDBStorage(through or url, skip_table_creation=True)
    database = Database(backend.engine)
    backend = Patient(backend, database)
    asker = Asker(backend, "s", space=SPACES[sampler], sampler=sampler_named(sampler), seed=3, known=[])
    engine, found = sa.create_engine(url), []
    with engine.connect() as connection:
        study_id = connection.execute(sa.select(STUDIES.c.study_id)).scalar_one()
    for number in range(N_TRIALS):
        row = {"study_id": study_id, "number": number, "state": TrialState.RUNNING, "datetime_start": now_as_stored()}
        with engine.begin() as tx:
            trial_id = tx.execute(sa.insert(TRIALS).values(row).returning(TRIALS.c.trial_id)).scalar_one()
            set_trial_attributes(tx, trial_id, {LEASE: {"worker": "w", "expires": 4e9, "token": 1}})
        lease = Lease(
            database=database,
            study_id=study_id,
            worker="w",
            seconds=60.0,
            trial_id=trial_id,
            number=number,
            condition={},
            attributes={},
            token=1,
        )
        if proxy is not None:
            proxy.cut_at = proxy.n_commits + 1 + number % N_COMMITS
            proxy.cut = "before" if number // N_COMMITS % 2 else "after"
        condition = asker.suggest(lease)
        with engine.begin() as tx:
            end_trial(tx, study_id, trial_id, Told(value=condition["x"] ** 2))
            stored = tx.execute(sa.select(PARAMS.c.param_name).where(PARAMS.c.trial_id == trial_id)).scalars().all()
        assert sorted(stored) == sorted(condition)
        found.append(condition)
    engine.dispose()
    return found


@pytest.mark.parametrize("sampler", sorted(SPACES))
def test_a_sampler_that_is_cut_off_at_any_commit_proposes_the_same(
    postgres_url: str, tmp_path: Path, sampler: str
) -> None:
    with cutting_proxy(postgres_url) as (proxy, url):
        cut_off = asked(postgres_url, sampler, through=url, proxy=proxy)
        assert proxy.n_cuts >= N_TRIALS - 4
    assert cut_off == asked(f"sqlite:///{tmp_path / 'optuna.db'}", sampler)
