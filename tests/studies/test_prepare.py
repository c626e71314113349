"""A data set is made by the study that offers it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rothamsted.cli import by_hand
from rothamsted.cli.main import main
from rothamsted.errors import DataError
from rothamsted.studies import describe_datasets, prepare_data
from tests.sketch import STUDY as SKETCH
from tests.toy import STUDY, prepare_toy


def other(*, source: str | None, target: Path | None) -> Path:
    return Path("other")


def test_the_study_that_offers_a_data_set_makes_it(tmp_path: Path) -> None:
    source = tmp_path / "raw.txt"
    source.write_text("1 2 3")
    bare = replace(STUDY, name="bare", datasets={})
    path = prepare_data([bare, STUDY], "toy", str(source), tmp_path / "toy.txt")
    assert (path, path.read_text()) == (tmp_path / "toy.txt", "1 2 3")


def test_an_unknown_data_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="'toys' is not offered by any study; did you mean toy"):
        prepare_data([STUDY], "toys", None, None)


def test_a_name_that_means_two_data_sets_is_refused() -> None:
    twin = replace(STUDY, name="twin", datasets={"toy": other})
    with pytest.raises(DataError, match="offered by toy, twin with different functions"):
        prepare_data([STUDY, twin], "toy", None, None)


def test_studies_may_share_one_data_set(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("x")
    twin = replace(STUDY, name="twin", datasets={"toy": prepare_toy})
    assert prepare_data([STUDY, twin], "toy", str(tmp_path / "raw"), None) == tmp_path / "raw.toy"


def test_what_the_study_says_of_a_missing_source_is_a_data_error() -> None:
    with pytest.raises(DataError, match="nowhere: is not a file; give source=FILE"):
        prepare_data([STUDY], "toy", "nowhere", None)


# ---- options of a data set ----


def strokes(folder: Path, **options: str) -> str:
    """What the sketch's data set was called with."""
    return prepare_data([STUDY, SKETCH], "strokes", None, folder / "s.txt", options).read_text()


def test_options_are_read_as_the_function_types_them_and_keep_their_defaults(tmp_path: Path) -> None:
    assert strokes(tmp_path, per_class="200", scale="2", bold="true") == "None 0 200 2.0 True"
    assert strokes(tmp_path) == "None 0 10 1.0 False"


def test_a_list_is_written_as_in_yaml(tmp_path: Path) -> None:
    def prepare(
        *, source: str | None, target: Path | None, kinds: tuple[str, ...] = (), limit: int | None = None
    ) -> Path:
        return Path(f"{kinds!r} {limit!r}")

    study = replace(STUDY, datasets={"kinds": prepare})
    assert str(prepare_data([study], "kinds", None, None, {"kinds": "[a, b]", "limit": "3"})) == "('a', 'b') 3"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"sed": "1"},
            r"sed: data set 'strokes' has no such option; did you mean seed\? known: dataset, source, target, ",
        ),
        ({"seed": "many"}, r"seed of data set 'strokes': must be a valid integer, not 'many'"),
        ({"scale": "[1"}, r"scale of data set 'strokes': is not YAML"),
        ({"per_class": "0"}, "per_class must be 1 or more, not 0"),
    ],
)
def test_an_option_that_is_unknown_or_does_not_fit_is_refused(
    tmp_path: Path, options: dict[str, str], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        strokes(tmp_path, **options)


def test_an_option_without_a_default_must_be_given() -> None:
    def prepare(*, source: str | None, target: Path | None, size: int) -> Path:
        return Path(str(size))

    study = replace(STUDY, datasets={"sized": prepare})
    assert prepare_data([study], "sized", None, None, {"size": "7"}) == Path("7")
    with pytest.raises(DataError, match=r"size: data set 'sized' needs it; give size=VALUE"):
        prepare_data([study], "sized", None, None)


def test_the_help_names_data_sets_options_and_defaults() -> None:
    assert describe_datasets([SKETCH, STUDY]).splitlines() == [
        "  strokes: Draw strokes: a data set with options of its own.",
        "      --seed int (default: 0)",
        "      --per_class int (default: 10)",
        "      --scale float (default: 1.0)",
        "      --bold bool (default: False)",
        "  toy: Copy a text file: the smallest data set that can be prepared.",
    ]


def test_options_come_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "MLproject").write_text('name: t\nentry_points:\n  s:\n    command: "python -m projects.sketch"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(by_hand, "load_study", lambda command, root: SKETCH)  # it lies outside of this project
    assert by_hand.prepare_data(["--dataset", "strokes", "--seed", "3", "--target", "out.txt"]) == 0
    assert (tmp_path / "out.txt").read_text() == "None 3 10 1.0 False"
    assert main(["prepare_data", "--help"]) == 0
    assert "--per_class int" in capsys.readouterr().out
