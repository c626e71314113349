"""Short forms that a sweep file gives its own keys for the command line."""

from __future__ import annotations

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


def test_gamma_range_and_eta_range_are_the_ends_of_the_ranges_of_fixed_batch() -> None:
    sweep = fixed_batch(name="fixed-batch-128", batch_size="128", gamma_range="0.01,100", eta_range="1e-5,100")
    assert ends(sweep, "gamma") == (0.01, 100.0, 5)  # as many points as the file says
    assert ends(sweep, "optimizer.lr") == (1e-5, 100.0, 9)
    assert "short_forms" not in resolved(sweep)  # what is recorded says it in full


def test_a_list_is_as_good_as_a_comma() -> None:
    assert ends(fixed_batch(gamma_range="[0.01, 100]"), "gamma") == (0.01, 100.0, 5)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            {"gamma_range": "0.01"},
            "command line: gamma_range: '0.01' must be 2 values with commas, for space.gamma.low",
        ),
        ({"gamma_range": "1,2,3"}, "gamma_range: '1,2,3' must be 2 values"),
        ({"gamma_range": "1,2", "space.gamma.low": "1"}, "gamma_range: is short for space.gamma.low, which is given"),
        ({"gamma_range": "5,0.1"}, r"space.gamma.low: 5.0 is above high 0.1; swap them"),
        ({"gama_range": "1,2"}, "gama_range: is neither a key of a sweep file nor a parameter"),
    ],
)
def test_a_short_form_that_is_used_wrongly_is_refused_in_a_line(overrides: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        fixed_batch(**overrides)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("short_forms: 3", "must be names with the keys they are short for, not 3"),
        ("short_forms: {a: 3}", "must be a key, such as space.gamma.low, or a list of them, not 3"),
        ("short_forms: {name: space.gamma.low}", "is a key of a sweep file already; give it another name"),
    ],
)
def test_short_forms_that_are_none_are_refused_with_their_place(tmp_path: Path, written: str, said: str) -> None:
    text = FIXED_BATCH.read_text(encoding="utf-8")
    head, _, rest = text.partition("short_forms:")
    path = tmp_path / "s.yaml"
    path.write_text(head + written + "\n" + rest.partition("\n  eta_range")[2].partition("\n")[2])
    with pytest.raises(SpecError, match=said):
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
    found = read_line("--space gamma=0.1,1 width=64 lr=1,2".split(), command="sweep")
    assert found.keys == {"space": "gamma=0.1,1", "width": "64", "lr": "1,2"}
