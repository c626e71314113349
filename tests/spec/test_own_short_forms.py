"""Short forms that a sweep file gives its own keys for the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rothamsted.cli.arguments import read_line
from rothamsted.errors import SpecError
from rothamsted.space import Range
from rothamsted.spec import Sweep, resolved
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT

FIXED_BATCH = ROOT / "sweeps" / "batch_size" / "fixed_batch.yaml"


def fixed_batch(**overrides: str) -> Sweep:
    return load(FIXED_BATCH, overrides, ROOT)[0]


def ends(sweep: Sweep, name: str) -> tuple[float, float, int | None]:
    domain = sweep.space[name]
    assert isinstance(domain, Range)
    return domain.low, domain.high, domain.points


def test_gamma_range_and_eta_range_are_widths_in_decades_with_the_points_a_decade_of_the_file() -> None:
    # By hand: two a decade are 1 + 2 * 4 = 9 points from 0.01 to 100, and 1 + 2 * 6 = 13 from 0.001 to 1000.
    sweep = fixed_batch(name="fixed-batch-128", batch_size="128", gamma_range="2", eta_range="3")
    assert ends(sweep, "gamma") == (0.01, 100.0, 9)
    assert ends(sweep, "optimizer.lr") == (0.001, 1000.0, 13)
    assert sweep.parameters["batch_size"] == 128
    assert "short_forms" not in resolved(sweep)  # what is recorded says it in full


@pytest.mark.parametrize("text", ["1e-5,1", "[0.00001, 1.0]"])
def test_a_range_may_be_given_by_its_ends(text: str) -> None:
    assert ends(fixed_batch(eta_range=text), "optimizer.lr") == (1e-5, 1.0, 11)


def test_points_that_are_given_win_over_those_a_decade() -> None:
    assert ends(fixed_batch(gamma_range="2", **{"space.gamma.points": "3"}), "gamma") == (0.01, 100.0, 3)


def test_the_option_may_have_the_dash_that_the_original_has() -> None:
    assert ends(fixed_batch(**{"gamma-range": "2"}), "gamma") == (0.01, 100.0, 9)


def test_a_short_form_of_a_key_is_another_name_of_it(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    text = FIXED_BATCH.read_text(encoding="utf-8").replace("short_forms:", "short_forms:\n  eta: optimizer.lr")
    path.write_text(text)
    sweep, _ = load(path, {"eta": "0.1"}, ROOT)
    assert sweep.parameters["optimizer.lr"] == 0.1
    assert list(sweep.space) == ["gamma"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"gamma_range": "wide"}, "command line: gamma_range: 'wide' must be a width in decades, 2 for 0.01 to 100"),
        ({"gamma_range": "1,2,3"}, "gamma_range: '1,2,3' must be a width in decades"),
        ({"gamma_range": "-2"}, "gamma_range: '-2' must be a width in decades"),
        ({"gamma_range": "1", "space.gamma.low": "1"}, "gamma_range: is short for space.gamma.low, which is given"),
        ({"gamma_range": "5,0.1"}, "gamma_range: low 5 is not below high 0.1; swap them"),
        ({"gama_range": "1"}, "gama_range: is neither a key of a sweep file nor a parameter"),
    ],
)
def test_a_short_form_that_is_used_wrongly_is_refused_in_a_line(overrides: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        fixed_batch(**overrides)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("short_forms: 3", "must be names with what they are short for, not 3"),
        ("short_forms: {a: 3}", "must be a key, or {decades: space.NAME} of a range above zero, not 3"),
        ("short_forms: {a: {decades: space.width}}", "of a range above zero, not"),
        ("short_forms: {name: space.gamma.low}", "is a key of a sweep file already; give it another name"),
    ],
)
def test_short_forms_that_are_none_are_refused_with_their_place(tmp_path: Path, written: str, said: str) -> None:
    text = FIXED_BATCH.read_text(encoding="utf-8")
    head, _, rest = text.partition("short_forms:")
    path = tmp_path / "s.yaml"
    path.write_text(head + written + "\n" + rest.partition("\n  eta_range")[2].partition("\n")[2])
    with pytest.raises(SpecError, match=re.escape(said)):
        load(path, {}, ROOT)


def test_space_takes_every_domain_that_follows_it() -> None:
    line = "fixed_batch --space gamma=0.1,1 optimizer.lr=interval(0.01,1) trials=20 layers=[1,2] --name a"
    found = read_line(line.split(), command="sweep")
    assert found.keys == {
        "space": "gamma=0.1,1 optimizer.lr=interval(0.01,1)",
        "trials": "20",
        "layers": "[1,2]",
        "name": "a",
    }
    assert found.words == ["fixed_batch"]


def test_domains_after_an_option_are_no_part_of_it_where_a_word_stands_between() -> None:
    found = read_line(["--space", "gamma=0.1,1", "width=64", "lr=1,2"], command="sweep")
    assert found.keys == {"space": "gamma=0.1,1", "width": "64", "lr": "1,2"}
