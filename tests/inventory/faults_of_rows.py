"""Faults as SQL on the rows of one toy sweep with a confirmation: one at a time, each with what it must be found as."""

from __future__ import annotations

import json
from typing import Any

CONFIRMED: dict[str, Any] = {"confirm": {"keep": 1, "replicates": 2}}
DEAD = "host.of.nobody:1:1"  # of another host, so that only the database's clock says that its lease is over
OF = "(SELECT run_uuid FROM tags WHERE key = 'rothamsted.{key}' AND value = '{value}')"
A_REPLICATE = (
    f"(SELECT run_uuid FROM runs WHERE run_uuid IN {OF.format(key='trial', value='1')} "
    f"AND run_uuid IN {OF.format(key='seed', value='1')} AND run_uuid IN {OF.format(key='role', value='replicate')})"
)
A_TRIAL_RUN = (
    f"(SELECT run_uuid FROM runs WHERE run_uuid IN {OF.format(key='trial', value='1')} "
    f"AND run_uuid IN {OF.format(key='role', value='trial')})"
)
THE_RUN = OF.format(key="role", value="sweep")
CONFIRMATION = OF.format(key="role", value="confirmation")
TRIAL = "(SELECT trial_id FROM trials JOIN studies USING (study_id) WHERE study_name = 'toys' AND number = 1)"
STUDY = "(SELECT study_id FROM studies WHERE study_name = 'toys')"
LEASE = json.dumps({"worker": DEAD, "expires": 1.0, "token": 1})


def gone(runs: str) -> tuple[str, ...]:
    """The rows of a run, deleted by somebody."""
    tables = ("metrics", "latest_metrics", "params", "tags", "runs")
    return tuple(f"DELETE FROM {table} WHERE run_uuid IN {runs}" for table in tables)


# what -> database, statements, the kinds that are found
MENDED_AT_ONCE: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "a trial whose worker is gone": (
        "optuna",
        (
            f"UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE trial_id = {TRIAL}",
            f"DELETE FROM trial_values WHERE trial_id = {TRIAL}",
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) "
            f"VALUES ({TRIAL}, 'rothamsted:lease', '{LEASE}')",
            "UPDATE study_user_attributes SET value_json = json_set(value_json, '$.how', 'left') "
            f"WHERE key = 'rothamsted:sweep_lease' AND study_id = {STUDY}",
        ),
        {"stale trial"},
    ),
    "a running trial without a lease": (
        "optuna",
        (
            f"UPDATE trials SET state = 'RUNNING' WHERE trial_id = {TRIAL}",
            f"DELETE FROM trial_values WHERE trial_id = {TRIAL}",
        ),
        {"stale trial"},
    ),
    "a lease of a trial that is over": (
        "optuna",
        (
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) "
            f"VALUES ({TRIAL}, 'rothamsted:lease', '{LEASE}')",
        ),
        {"lease left"},
    ),
    "a decider that is gone": (
        "optuna",
        (
            "UPDATE study_user_attributes SET value_json = json_set(value_json, '$.how', 'deciding', '$.holder', "
            f"'{DEAD}', '$.expires', 1.0) WHERE key = 'rothamsted:sweep_lease' AND study_id = {STUDY}",
        ),
        {"stale sweep"},
    ),
    "another value in Optuna": (
        "optuna",
        (f"UPDATE trial_values SET value = value + 1e-6 WHERE trial_id = {TRIAL}",),
        {"different result"},
    ),
    "the sweep's run running": (
        "mlflow",
        (f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid IN {THE_RUN}",),
        {"stale run"},
    ),
    "a replicate's run running": (
        "mlflow",
        (f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid IN {A_REPLICATE}",),
        {"different result"},
    ),
    "a trial's run killed": (
        "mlflow",
        (f"UPDATE runs SET status = 'KILLED' WHERE run_uuid IN {A_TRIAL_RUN}",),
        {"different result"},
    ),
    "a confirmation's run running": (
        "mlflow",
        (f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid IN {CONFIRMATION}",),
        {"different result"},
    ),
    "another seed": (
        "mlflow",
        (f"UPDATE tags SET value = '7' WHERE key = 'rothamsted.seed' AND run_uuid IN {A_REPLICATE}",),
        {"different result"},
    ),
    "another outcome": (
        "mlflow",
        (f"UPDATE tags SET value = 'failed' WHERE key = 'rothamsted.outcome' AND run_uuid IN {A_REPLICATE}",),
        {"different result"},
    ),
    "a deleted replicate": (
        "mlflow",
        (f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN {A_REPLICATE}",),
        {"trial without run"},
    ),
    "a deleted trial": (
        "mlflow",
        (f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN {A_TRIAL_RUN}",),
        {"trial without run"},
    ),
    "a deleted confirmation": (
        "mlflow",
        (f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN {CONFIRMATION}",),
        {"trial without run"},
    ),
    "the sweep's run deleted": (
        "mlflow",
        (f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN {THE_RUN}",),
        {"search without run"},
    ),
    "another objective on the run": (
        "mlflow",
        tuple(
            f"UPDATE {table} SET value = value + 1e-6 WHERE key = 'objective' AND run_uuid IN {A_REPLICATE}"
            for table in ("metrics", "latest_metrics")
        ),
        {"different result"},
    ),
    "another objective in the search": (
        "optuna",
        (
            "UPDATE trial_user_attributes SET value_json = json_set(value_json, '$.replicates[1].objective', 7.0) "
            f"WHERE key = 'rothamsted:result' AND trial_id = {TRIAL}",
        ),
        {"different result"},
    ),
    "another mean in the search": (
        "optuna",
        (
            "UPDATE trial_user_attributes SET value_json = json_set(value_json, '$.summary.mean', 7.0) "
            f"WHERE key = 'rothamsted:result' AND trial_id = {TRIAL}",
        ),
        {"different result"},
    ),
    "another mean on a trial's run": (
        "mlflow",
        tuple(
            f"UPDATE {table} SET value = 7.0 WHERE key = 'objective/mean' AND step = 3 AND run_uuid IN {A_TRIAL_RUN}"
            for table in ("metrics", "latest_metrics")
        ),
        {"different result"},
    ),
    "another n on a confirmation's run": (
        "mlflow",
        tuple(
            f"UPDATE {table} SET value = 7.0 WHERE key = 'objective/n' AND step = 2 AND run_uuid IN {CONFIRMATION}"
            for table in ("metrics", "latest_metrics")
        ),
        {"different result"},
    ),
    "another confirmed mean on the sweep's run": (
        "mlflow",
        tuple(
            f"UPDATE {table} SET value = 7.0 WHERE key = 'confirmed/mean' AND run_uuid IN {THE_RUN}"
            for table in ("metrics", "latest_metrics")
        ),
        {"different result"},
    ),
    "a point twice": (
        "mlflow",
        (
            "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) SELECT run_uuid, key, value, "
            "timestamp + 1, step, is_nan FROM metrics WHERE key = 'val_loss' AND step = 4 "
            f"AND run_uuid IN {A_REPLICATE}",
        ),
        {"doubled point"},
    ),
    "a latest value that is none": (
        "mlflow",
        (f"UPDATE latest_metrics SET value = value + 1 WHERE key = 'train_loss' AND run_uuid IN {A_REPLICATE}",),
        {"latest value"},
    ),
    "a latest value that is not there": (
        "mlflow",
        (f"DELETE FROM latest_metrics WHERE key = 'train_loss' AND run_uuid IN {A_REPLICATE}",),
        {"latest value"},
    ),
    "a replicate twice": (
        "mlflow",
        (
            "INSERT INTO runs SELECT 'f' || substr(run_uuid, 2), name, source_type, source_name, entry_point_name, "
            "user_id, status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id, "
            f"deleted_time FROM runs WHERE run_uuid IN {A_REPLICATE}",
            "INSERT INTO tags (run_uuid, key, value) SELECT 'f' || substr(run_uuid, 2), key, value FROM tags "
            f"WHERE run_uuid IN {A_REPLICATE}",
        ),
        {"doubled replicate"},
    ),
    "a run of no trial": (
        "mlflow",
        ("UPDATE tags SET value = '99' WHERE key = 'rothamsted.trial' AND run_uuid LIKE 'f%'",),
        {"run without trial"},
    ),
}

# what -> database, statements, the kinds that are found, and of which nobody can say what would be right
LEFT: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "another point of a curve": (
        "mlflow",
        (f"UPDATE metrics SET value = value + 1e-6 WHERE key = 'val_loss' AND step = 2 AND run_uuid IN {A_REPLICATE}",),
        {"different result"},
    ),
    "a point that is not there": (
        "mlflow",
        (f"DELETE FROM metrics WHERE key = 'val_loss' AND step = 2 AND run_uuid IN {A_REPLICATE}",),
        {"different result"},
    ),
    "two values at one step": (
        "mlflow",
        (
            "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) SELECT run_uuid, key, value + 1, "
            "timestamp - 1, step, is_nan FROM metrics WHERE key = 'train_loss' AND step = 4 "
            f"AND run_uuid IN {A_REPLICATE}",
        ),
        {"doubled point"},
    ),
    "a result of another form": (
        "optuna",
        (
            "UPDATE trial_user_attributes SET value_json = json_set(value_json, '$.replicates[0].outcome', 'splendid') "
            f"WHERE key = 'rothamsted:result' AND trial_id = {TRIAL}",
        ),
        {"unreadable search"},
    ),
    "the search gone": (
        "optuna",
        (f"DELETE FROM study_user_attributes WHERE key = 'rothamsted:spec' AND study_id = {STUDY}",),
        {"run without search", "confirmation without sweep"},
    ),
}

# what -> the runs whose rows are gone
MENDED_BY_THE_COMMAND = {"a replicate": A_REPLICATE, "a trial's run": A_TRIAL_RUN, "a confirmation's run": CONFIRMATION}
