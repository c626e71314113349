"""Downloads from a real server on the loopback interface, with the faults that a network has."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from projects.batch_size.data import DataProblem
from projects.files.download import N_ATTEMPTS, download, write_atomically
from projects.language_model.data.stated import stated_sha256
from tests.projects.files.loopback import Site, serve

DATA = np.random.default_rng(0).bytes(700_001)  # more than two blocks, and not a whole number of them
MD5 = hashlib.md5(DATA).hexdigest()  # authority: the standard library, over the bytes handed out


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def site(**faults: object) -> Site:
    return Site(files={"a.gz": DATA}, **faults)  # type: ignore[arg-type]


def test_a_file_arrives_whole(tmp_path: Path) -> None:
    with serve(site()) as server:
        path = download(f"{server.url}/a.gz", tmp_path / "new" / "a.gz", checksum=MD5)
    assert path.read_bytes() == DATA


def test_a_sha256_is_told_from_an_md5_by_its_length(tmp_path: Path) -> None:
    with serve(site()) as server:
        download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=hashlib.sha256(DATA).hexdigest())
        with pytest.raises(DataProblem, match="has the sha256"):
            download(f"{server.url}/a.gz", tmp_path / "b.gz", checksum="0" * 64)
    assert (tmp_path / "a.gz").read_bytes() == DATA


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    with serve(site()) as server:
        download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(DATA)
    with serve(site()) as server:
        download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert server.ranges == []


def test_a_damaged_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(DATA[:-1])
    with serve(site()) as server:
        download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert (tmp_path / "a.gz").read_bytes() == DATA


def test_a_broken_connection_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    with serve(site(breaks_after=[300_000])) as server:
        path = download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert server.ranges == [None, "bytes=300000-"]
    assert path.read_bytes() == DATA


def test_a_later_call_goes_on_from_the_part(tmp_path: Path) -> None:
    breaks: list[int | None] = [1000] * N_ATTEMPTS
    with serve(site(breaks_after=breaks)) as server:
        with pytest.raises(DataProblem, match=r"ended after 3000 of 700001 bytes; run it again"):
            download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
        assert not (tmp_path / "a.gz").exists()
        path = download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert server.ranges[-1] == "bytes=3000-"
    assert path.read_bytes() == DATA


def test_a_server_that_knows_no_ranges_sends_all_again(tmp_path: Path) -> None:
    (tmp_path / "a.gz.part").write_bytes(DATA[:5000])
    with serve(site(understands_ranges=False)) as server:
        path = download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert server.ranges == ["bytes=5000-"]
    assert path.read_bytes() == DATA


def test_a_complete_part_needs_no_more_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.gz.part").write_bytes(DATA)
    with serve(site()) as server:
        path = download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("part", [b"wrong" * 100, DATA + b"more"], ids=["other bytes", "too long"])
def test_a_part_of_something_else_is_fetched_anew(part: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.gz.part").write_bytes(part)
    with serve(site()) as server:
        path = download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert path.read_bytes() == DATA


def test_damaged_bytes_never_take_the_name(tmp_path: Path) -> None:
    with (
        serve(Site(files={"a.gz": DATA[:-1] + b"?"})) as server,
        pytest.raises(DataProblem, match=rf"/a\.gz: the file has the md5 [0-9a-f]{{32}}, expected {MD5}"),
    ):
        download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_one_line_with_the_address(tmp_path: Path) -> None:
    with serve(site()) as server, pytest.raises(DataProblem) as caught:
        download(f"{server.url}/b.gz", tmp_path / "b.gz", checksum=MD5)
    message = str(caught.value)
    assert message.startswith(f"{server.url}/b.gz: the server answered 404 Not Found; ")
    assert "\n" not in message


def test_a_refused_connection_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as unused:  # bound and not listening: the port refuses, and nobody else takes it
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.gz"
        with pytest.raises(DataProblem) as caught:
            download(url, tmp_path / "a.gz", checksum=MD5)
    message = str(caught.value)
    assert message.startswith(f"{url}: the server cannot be reached (")
    assert message.endswith("give a folder that holds the file")
    assert "\n" not in message


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.gz"
        with pytest.raises(DataProblem, match=r"cannot be reached \(timed out\)"):
            download(url, tmp_path / "a.gz", checksum=MD5, timeout_seconds=0.2)


@pytest.mark.parametrize(
    "address",
    [
        "http://host:notaport/a",
        "http://[::1/a",
        "http://",
        "http://a b/c",
        "https://h\x1b[31m/a",
        "http://" + "x" * 300 + "/a",
    ],
    ids=["port", "IPv6", "no host", "space", "escape", "long"],
)
def test_an_address_that_is_none_is_one_printable_line(address: str, tmp_path: Path) -> None:
    for fetch in (lambda: download(address, tmp_path / "a", checksum=MD5), lambda: stated_sha256(address)):
        with pytest.raises(DataProblem, match="the server cannot be reached") as caught:
            fetch()
        assert str(caught.value).isprintable()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "address", ["", "file:///etc/passwd", "http://host:notaport/a"], ids=["circle", "file", "port"]
)
def test_redirects_in_a_circle_or_to_no_web_address_are_one_line(address: str, tmp_path: Path) -> None:
    with serve(site(leads_to=address)) as server, pytest.raises(DataProblem) as caught:
        download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert str(caught.value).startswith(f"{server.url}/a.gz: the server ")
    assert str(caught.value).isprintable()
    assert not list(tmp_path.iterdir())


def test_a_server_that_sends_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projects.files.download.MOST_BYTES", 300_000)
    with serve(site(states_length=False)) as server, pytest.raises(DataProblem, match="sends more than 300000 bytes"):
        download(f"{server.url}/a.gz", tmp_path / "a.gz", checksum=MD5)
    assert not list(tmp_path.iterdir())


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="only http and https"):
        download(f"file://{tmp_path}/a.gz", tmp_path / "b.gz", checksum=MD5)


def test_a_target_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with serve(site()) as server, pytest.raises(DataProblem, match=r"file/a\.gz: cannot be written \("):
        download(f"{server.url}/a.gz", tmp_path / "file" / "a.gz", checksum=MD5)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataProblem, match=r"cannot be written \(No space left on device\)"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
