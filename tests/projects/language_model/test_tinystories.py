"""Preparing TinyStories: from a folder, and from a server that states its checksums beforehand."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from projects.files.problem import DataProblem
from projects.language_model.config import Config
from projects.language_model.data import load_tokens
from projects.language_model.data.stated import stated_sha256
from projects.language_model.data.stories import write_stories
from projects.language_model.data.tinystories import prepare_tinystories

STORIES = write_stories(80, 3)
TRAIN, VALID = ("\n<|endoftext|>\n".join(part).encode() for part in (STORIES[:60], STORIES[60:]))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class Handler(BaseHTTPRequestHandler):
    """Answers as Hugging Face does: what lies under `main/` is elsewhere, with its sha256 on the way."""

    files: ClassVar = {"TinyStoriesV2-GPT4-train.txt": TRAIN, "TinyStoriesV2-GPT4-valid.txt": VALID}

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        folder, _, name = self.path.lstrip("/").partition("/")
        data = self.files.get(name)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200 if folder == "bytes" else 302)
        if folder == "main":
            self.send_header("X-Linked-ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        if folder == "lies":
            self.send_header("X-Linked-ETag", f'"{"0" * 64}"')
        if folder != "bytes":
            self.send_header("Location", f"/bytes/{name}")
        self.send_header("Content-Length", str(len(data) if folder == "bytes" else 0))
        self.end_headers()
        if folder == "bytes" and self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output to themselves."""


@pytest.fixture
def server() -> Iterator[str]:
    site = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{site.server_address[1]}"
    site.shutdown()
    thread.join()
    site.server_close()


def read(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "train.txt").read_bytes(), (folder / "valid.txt").read_bytes()


def test_files_are_copied_from_a_folder_raw_or_packed_under_any_usual_name(tmp_path: Path) -> None:
    (tmp_path / "TinyStoriesV2-GPT4-train.txt").write_bytes(TRAIN)
    (tmp_path / "tinystories_valid.txt.gz").write_bytes(gzip.compress(VALID))
    assert read(prepare_tinystories(str(tmp_path), tmp_path / "here")) == (TRAIN, VALID)
    assert read(prepare_tinystories(str(tmp_path / "here"), tmp_path / "here")) == (TRAIN, VALID)


def test_files_are_downloaded_and_checked_against_what_the_server_states(tmp_path: Path, server: str) -> None:
    assert read(prepare_tinystories(f"{server}/main/", tmp_path / "here")) == (TRAIN, VALID)


def test_a_file_that_is_not_what_the_server_stated_is_refused(tmp_path: Path, server: str) -> None:
    with pytest.raises(DataProblem, match=r"has the sha256 .*, expected 0000"):
        prepare_tinystories(f"{server}/lies/", tmp_path / "here")
    assert not (tmp_path / "here" / "train.txt").exists()


def test_a_checksum_of_the_user_counts_in_place_of_the_server_s(tmp_path: Path, server: str) -> None:
    given = {"train_sha256": hashlib.sha256(TRAIN).hexdigest(), "valid_sha256": hashlib.sha256(VALID).hexdigest()}
    assert read(prepare_tinystories(f"{server}/bytes", tmp_path / "here", **given)) == (TRAIN, VALID)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("bytes/TinyStoriesV2-GPT4-train.txt", "the server states no sha256 for this file; give train_sha256"),
        ("main/other.txt", "the server answered 404 Not Found; give train_sha256"),
    ],
)
def test_a_server_without_a_checksum_or_a_file_is_named_with_the_way_out(server: str, path: str, says: str) -> None:
    with pytest.raises(DataProblem) as error:
        stated_sha256(f"{server}/{path}")
    assert says in str(error.value)


def test_a_server_that_cannot_be_reached_is_named_with_the_way_out() -> None:
    with pytest.raises(DataProblem, match=r"the server cannot be reached .*give train_sha256"):
        stated_sha256("http://127.0.0.1:9/main/a.txt")


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"holds none of TinyStoriesV2-GPT4-train\.txt, tinystories_train\.txt"):
        prepare_tinystories(str(tmp_path), tmp_path / "here")


def test_a_packed_file_that_is_cut_off_is_refused_and_leaves_no_text(tmp_path: Path) -> None:
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(TRAIN)[:-9])
    with pytest.raises(DataProblem, match=r"train\.txt\.gz: is damaged or of another kind"):
        prepare_tinystories(str(tmp_path), tmp_path / "here")
    assert not (tmp_path / "here" / "train.txt").exists()


def test_with_a_vocabulary_size_the_tokens_are_made_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.txt").write_bytes(TRAIN)
    (tmp_path / "valid.txt").write_bytes(VALID)
    prepare_tinystories(str(tmp_path), Path("data/tinystories"), vocab_size=300)
    (made,) = Path("data/tinystories").glob("tokens-300-*")
    changed_at = (made / "train.bin").stat().st_mtime_ns
    load_tokens(Config(dataset="tinystories", vocab_size=300, context_length=8))
    assert (made / "train.bin").stat().st_mtime_ns == changed_at
