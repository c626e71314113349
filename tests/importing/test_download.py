"""Files behind an address and in archives, from a server on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rothamsted.importing import download
from tests.importing.conftest import Place
from tests.tracking.conftest import free_port

TABLE = "run_id,lr,loss\na,0.1,0.5\nb,0.5,0.25\n"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(folder: Path, handler: type[SimpleHTTPRequestHandler] = _Quiet) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def archive(path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as made:
        for name, text in members.items():
            made.writestr(zipfile.ZipInfo(name, date_time=(2023, 11, 14, 22, 13, 20)), text)


RUNS = {
    f"all/{name}/{file}": text
    for name in "ab"
    for file, text in {"config.json": f'{{"lr": "{name}"}}', "metrics.csv": "step,loss\n0,0.5\n"}.items()
}


def test_a_table_behind_an_address_arrives_once_and_its_checksum_is_kept_to(place: Place) -> None:
    (place.folder / "web").mkdir()
    (place.folder / "web" / "runs.csv").write_text(TABLE)
    digest = hashlib.sha256(TABLE.encode()).hexdigest()
    with serving(place.folder / "web") as address:
        assert "2 new" in place.bring(f"{address}/runs.csv", f"checksum={digest}", "experiment=before")
        assert "2 there already" in place.bring(f"{address}/runs.csv", "experiment=before")
        refusal = place.refused(f"{address}/runs.csv", f"checksum={'0' * 64}")
    assert f"has the sha256 {digest}" in refusal
    assert {run.tags["rothamsted.imported_from"] for run in place.runs("before").values()} == {f"{address}/runs.csv"}


def test_an_archive_of_folders_is_unpacked_and_its_runs_are_the_same_each_time(place: Place) -> None:
    (place.folder / "web").mkdir()
    archive(place.folder / "web" / "runs.zip", RUNS)
    with serving(place.folder / "web") as address:
        assert "2 new" in place.bring(f"{address}/runs.zip", "experiment=before")
        assert "2 there already" in place.bring(f"{address}/runs.zip", "experiment=before")
    assert sorted(place.runs("before")) == ["a", "b"]
    place.bring("web/runs.zip", "experiment=by path")
    assert "2 there already" in place.bring("web/runs.zip", "experiment=by path")


def test_user_and_password_of_an_address_are_sent_as_a_header_and_are_on_no_record(place: Place) -> None:
    class Locked(_Quiet):
        def do_GET(self) -> None:
            # RFC 7617, section 2: the base64 of "Aladdin:open sesame".
            if self.headers["Authorization"] != "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==":
                self.send_error(401)
            else:
                super().do_GET()

    class Elsewhere(_Quiet):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"{locked}/runs.csv")
            self.end_headers()

    (place.folder / "runs.csv").write_text(TABLE)
    with serving(place.folder, Locked) as locked, serving(place.folder, Elsewhere) as first:
        assert "401" in place.refused(first.replace("//", "//Aladdin:open%20sesame@") + "/x.csv")  # not passed on
    with serving(place.folder, Locked) as address:
        assert "the server answered 401" in place.refused(f"{address}/runs.csv")
        out = place.bring(address.replace("//", "//Aladdin:open%20sesame@") + "/runs.csv", "experiment=before")
    assert "sesame" not in out
    assert not any("sesame" in text for run in place.runs("before").values() for text in run.tags.values())


def test_a_server_that_is_not_there_and_a_file_that_is_not_are_one_line(place: Place) -> None:
    assert f"127.0.0.1:{(port := free_port())}/a.csv: cannot be fetched" in place.refused(
        f"http://127.0.0.1:{port}/a.csv"
    )
    with serving(place.folder) as address:
        assert "the server answered 404" in place.refused(f"{address}/nothing.csv")
        assert ":pw@" not in place.refused(f"{address.replace('//', '//me:pw@')}/nothing.csv")
    assert "checksum=12: must be the SHA-256" in place.refused("a.csv", "checksum=12")


def test_a_server_that_sends_too_much_or_ends_early_is_one_line(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(_Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"run_id,loss\n")

    with serving(place.folder, Short) as address:
        assert "ended after 12 of 1000 bytes" in place.refused(f"{address}/a.csv")
    (place.folder / "big.csv").write_text(TABLE * 10)
    monkeypatch.setattr(download, "MOST_FETCHED", 100)
    with serving(place.folder) as address:
        assert "sends more than 100 bytes" in place.refused(f"{address}/big.csv")


@pytest.mark.parametrize("name", ["../out.csv", "/out.csv", "a/../../out.csv", "..\\out.csv"])
def test_an_archive_whose_members_lead_out_of_it_is_refused(name: str, place: Place) -> None:
    archive(place.folder / "runs.zip", {name: TABLE})
    assert "points outside of it" in place.refused("runs.zip")
    assert not list(place.folder.parent.rglob("out.csv"))


def test_an_archive_that_is_cut_off_holds_a_link_or_unpacks_to_too_much_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(place.folder / "runs.zip", RUNS)
    whole = (place.folder / "runs.zip").read_bytes()
    (place.folder / "cut.zip").write_bytes(whole[:-60])
    assert "cut.zip: is damaged or of another kind" in place.refused("cut.zip")
    with zipfile.ZipFile(place.folder / "link.zip", "w") as made:
        link = zipfile.ZipInfo("metrics.csv")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
    assert "points outside of it" in place.refused("link.zip")
    monkeypatch.setattr(download, "MOST_FETCHED", 10)
    assert "unpacks to more than 20 bytes" in place.refused("runs.zip")
    assert zipfile.is_zipfile(io.BytesIO(whole))
