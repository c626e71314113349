"""A sweep as it is kept: without its secrets, and equal to itself with others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rothamsted.errors import SpecError
from rothamsted.masking import is_secret
from rothamsted.spec import (
    Begun,
    Sweep,
    difference,
    digest,
    from_resolved,
    growth,
    recorded,
    resolved,
    secrets_of,
    with_secrets,
)
from rothamsted.spec.document import Document
from rothamsted.spec.recorded import check_unexposed, recorded_text


def made(secret: str = "5ecret", **keys: Any) -> Sweep:
    plain = {
        "name": "planted",
        "project": f"https://{secret}@host/x.git#sub",
        "storage": f"postgresql+psycopg://me:{secret}@host/db?password={secret}",
        "space": {"lr": [0.1, 0.2]},
        "objective": {"metric": "loss", "direction": "minimize"},
        "warm_start": {"sweep": "old", "storage": f"postgresql://me:{secret}@host/old"},
        "sampler": {"name": "tpe"},
        "trials": 4,
        "execution": {
            "executor": "ray",
            "environment": {"TOKEN": secret, "N": "1"},
            "runtime_env": {"env_vars": {"KEY": secret}, "working_dir": "."},
        },
    }
    return from_resolved({**plain, **keys})


def test_what_is_kept_holds_no_secret_and_names_the_variables() -> None:
    kept = recorded(made())
    assert "5ecret" not in json.dumps(kept)
    assert kept["storage"] == "postgresql+psycopg://me@host/db"
    assert kept["project"] == "https://host/x.git#sub"
    assert kept["warm_start"]["storage"] == "postgresql://me@host/old"
    assert kept["execution"]["environment"] == {"TOKEN": "***", "N": "***"}
    assert kept["execution"]["runtime_env"] == {"env_vars": {"KEY": "***"}, "working_dir": "."}


def test_a_worker_has_the_sweep_whole_from_what_is_kept_and_what_it_is_given() -> None:
    sweep = made()
    given = json.loads(json.dumps(secrets_of(sweep)))
    whole = from_resolved(with_secrets({**recorded(sweep), "storage": sweep.storage}, given))
    assert whole.project == sweep.project
    assert whole.execution == sweep.execution
    assert secrets_of(from_resolved({**recorded(sweep), "execution": {}})) == {}


def test_a_sweep_without_secrets_is_kept_as_it_is() -> None:
    plain = made(project="x", storage="sqlite:////a/b.db", warm_start=None, execution={})
    assert recorded(plain) == json.loads(json.dumps(resolved(plain)))


def test_another_password_or_value_of_a_variable_is_no_change_of_the_sweep() -> None:
    one, other = made(), made("another")
    assert digest(one) == digest(other)
    assert difference(recorded(one), recorded(other)) == []
    assert growth(from_resolved(recorded(one)), other, Begun()).refused == ()


def test_the_copy_of_a_file_has_the_names_of_variables_alone() -> None:
    text = recorded_text(
        """\
# with 5ecret-value
storage: postgresql://me:5ecret@host/db
execution: {environment: {TOKEN: '5ecret-value', N: 1}, workers: 2}  # of TOKEN
execution.runtime_env:
  env_vars:
    KEY: |
      5ecret of
      two lines
lr: [1, 2]
"""
    )
    assert "5ecret" not in text
    assert text.splitlines()[1:3] == [
        "storage: postgresql://me:***@host/db",
        'execution: {environment: {TOKEN: "***", N: "***"}, workers: 2}  # of TOKEN',
    ]
    assert text.endswith('    KEY: "***"\nlr: [1, 2]\n')


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"parameters": {"data.url": "postgresql://me:5ecret@host/db"}}, "parameters.data.url"),
        ({"space": {"url": ["https://5ecret@a/x", "https://b/x"]}}, "space.url"),
        (
            {"command": "python a.py {parameters} --to=https://5ecret@host", "project": None, "seed_parameter": "seed"},
            "command",
        ),
    ],
)
def test_a_secret_that_would_be_recorded_is_refused_at_its_key(keys: dict[str, Any], place: str) -> None:
    sweep = made(**keys)
    with pytest.raises(SpecError, match="holds a password or token") as caught:
        check_unexposed(sweep, Document(source="sweep.yaml", data=dict(keys), places={}))
    assert place in str(caught.value)
    assert not is_secret(str(caught.value))
    assert "5ecret" not in str(caught.value)
