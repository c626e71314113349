"""Passwords and tokens of addresses, in any text."""

from __future__ import annotations

import time

import pytest

from rothamsted.errors import StoreError, raised
from rothamsted.masking import hidden, is_secret, masked, without_secrets
from rothamsted.studies.provenance import command_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://u:SECRET@h/db", "postgresql+psycopg://u:***@h/db"),
        ("POSTGRESQL://u:p@ss@h:5432/db", "POSTGRESQL://u:***@h:5432/db"),
        ("postgresql://u:p%40s%2Fs@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:p/ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:p#s?s@h/db", "postgresql://u:***@h/db"),
        ("redis://:pw@h:1/0", "redis://:***@h:1/0"),
        ("https://TOKEN@host/x.git#sub", "https://***@host/x.git#sub"),
        ("HTTPS://me:TOKEN@host:8443/x", "HTTPS://***@host:8443/x"),
        ("https://TOKEN:@host", "https://***@host"),
        ("git+https://TOKEN@host/x", "git+https://***@host/x"),
        ("ssh://git:pw@host/x", "ssh://git:***@host/x"),
        ("postgresql://h/db?user=u&password=p%26w&n=1", "postgresql://h/db?user=u&password=***&n=1"),
        ("postgresql://h/db?user=u&sslpassword=pw", "postgresql://h/db?user=u&sslpassword=***"),
        ("http://u:p/ss@h:80/x", "http://***@h:80/x"),
        ("ftp://u:5a/c?r#pw@h/x", "ftp://u:***@h/x"),
        ("https://h/x#access_token=abc", "https://h/x#access_token=***"),
        ("https://h/x?token=abc;n=1", "https://h/x?token=***;n=1"),
        ("https://h/x?n=1&ACCESS_TOKEN=abc", "https://h/x?n=1&ACCESS_TOKEN=***"),
        ("host=h password='a b' dbname=d", "host=h password=*** dbname=d"),
        ("to=postgresql%3A%2F%2Fu%3Apw%40h%2Fdb", "to=postgresql%3A%2F%2Fu%3A***%40h%2Fdb"),
        ("cannot reach postgresql://a:b@h/x, http://c@d/y", "cannot reach postgresql://a:***@h/x, http://***@d/y"),
    ],
)
def test_passwords_and_tokens_are_starred_out_once_and_for_all(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown
    assert is_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sqlite:////home/a b/x@y.db",
        "postgresql://u@h:5432/db",
        "postgresql://h:5432/db?user=a@b",
        "postgresql://h1:5432,h2:5432/db?user=a@b",
        "https://host:8443/x@v1.git",
        "http://[::1]:80/x@v1",
        "curl http://{host}:{port}/x --to me@host",
        "git@github.com:me/x.git",
        "ssh://git@host:22/x@v1",
        "http://127.0.0.1:5000/#/experiments/1/runs/2",
        "lr=0.1, n_tokens=512, max_tokens=5 token=3",
        "mail me@host about https://host/x",
    ],
)
def test_addresses_and_texts_without_secrets_stay(text: str) -> None:
    assert masked(text) == text
    assert without_secrets(text) == text
    assert not is_secret(text)


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("https://me:TOKEN@host/x.git", "https://host/x.git"),
        ("postgresql://me:pw@host/db?password=pw&n=1", "postgresql://me@host/db?n=1"),
        ("postgresql://me:pw@host/db?n=1&password=pw", "postgresql://me@host/db?n=1"),
        ("postgresql://me:***@host/db", "postgresql://me@host/db"),
    ],
)
def test_an_address_without_its_secrets_works_for_who_has_credentials(address: str, left: str) -> None:
    assert without_secrets(address) == left


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql+psycopg:me:pw@h/db", "postgresql+psycopg:***@h/db"),
        ("postgresql://me:my pw@h/db?password=pw pw", "postgresql://***@h/db"),
        ("http:/me:pw@h", "http:/***@h"),
        ("me:pw@h:x.git", "me:***@h:x.git"),
        ("nowhere", "nowhere"),
    ],
)
def test_of_an_address_that_is_none_only_the_host_is_said(address: str, shown: str) -> None:
    assert hidden(address) == shown


def test_no_error_says_a_secret() -> None:
    assert str(StoreError("storage postgresql://u:SECRET@h/d: away")) == "storage postgresql://u:***@h/d: away"
    assert raised(ValueError("https://SECRET@h/x is away")) == "ValueError: https://***@h/x is away"


@pytest.mark.parametrize(
    "text", ["x://u:" * 10_000 + " @", "a.a" * 20_000 + "@", "https://a" * 10_000 + " @", "a?" * 50_000]
)
def test_masking_takes_no_time_to_speak_of(text: str) -> None:
    begun = time.process_time()
    masked(text)
    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["sweep", "a.yaml", "lr=0.1"], "sweep a.yaml lr=0.1"),
        (["sweep", "storage=postgresql://me:5ecret@h/d"], "sweep storage=postgresql://me:***@h/d"),
        (["sweep", "--execution.environment", "{A: 5ecret}", "x=1"], "sweep --execution.environment *** x=1"),
        (["sweep", "execution.environment.A=5ecret"], "sweep execution.environment.A=***"),
        (["sweep", "--execution.runtime_env={env_vars: {A: 5ecret}}"], "sweep --execution.runtime_env=***"),
    ],
)
def test_a_command_is_recorded_without_its_secrets(words: list[str], shown: str) -> None:
    assert command_line(words) == shown
