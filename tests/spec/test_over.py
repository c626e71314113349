"""`objective.over` in a sweep file: what is read, what is refused in one line, and that the mean changes no record."""

from __future__ import annotations

import pytest

from rothamsted.errors import SpecError
from rothamsted.spec import Sweep, from_resolved, resolved
from tests.spec.conftest import TOY_SWEEP, SweepFile

OLD, FIVE = "direction: minimize", "replicates: {count: 5}"


def loaded(sweep_file: SweepFile, over: str, more: str = "") -> Sweep:
    """The toy's sweep with five replicates over something, and more lines."""
    return sweep_file.load(f"{TOY_SWEEP.replace(OLD, f'{OLD}, over: {over}')}{more or FIVE}\n")


@pytest.mark.parametrize(
    ("written", "read"),
    [("mean", "mean"), ("median", "median"), ("iqm", "iqm"), ("{quantile: 0.1}", "quantile:0.1")],
)
def test_it_is_read_and_written_and_read_again(sweep_file: SweepFile, written: str, read: str) -> None:
    sweep = loaded(sweep_file, written)
    assert sweep.objective.over == read
    again = from_resolved(resolved(sweep))
    assert again.objective == sweep.objective
    assert resolved(again) == resolved(sweep)


def test_the_half_quantile_is_the_median(sweep_file: SweepFile) -> None:
    assert loaded(sweep_file, "{quantile: 0.5}").objective.over == "median"


def test_a_sweep_over_means_is_recorded_as_before_there_was_the_key(sweep_file: SweepFile) -> None:
    assert "over" not in resolved(loaded(sweep_file, "mean"))["objective"]


@pytest.mark.parametrize("wrong", ["mode", "{quantile: 0}", "{quantile: 1}", "{quantile: 1.5}", "{quantile: x}", "0.1"])
def test_anything_else_is_refused_with_what_is_known(sweep_file: SweepFile, wrong: str) -> None:
    with pytest.raises(SpecError, match=r"objective\.over: .*mean, median, iqm or \{quantile: Q\}"):
        loaded(sweep_file, wrong)


# more lines of the file -> what stands over seeds, the key that is named, and what it says
BESIDE = {
    "replicates: {racing: {min: 3, max: 9}}": ("median", "objective.over", "races by means"),
    "replicates: {count: 3}": ("iqm", "replicates", "leaves none out"),
    f"{FIVE}\nconfirm: {{keep: 1, replicates: 3}}": ("iqm", "confirm", "leaves none out"),
    f"{FIVE}\nstatistics: {{interval: bca}}": ("median", "statistics.interval", "bca is for means"),
    f"{FIVE}\nstatistics: {{test: welch}}": ("median", "statistics.test", "welch is for means"),
    f"{FIVE}\nstatistics: {{best: simple}}": ("median", "statistics.best", "simple is for means"),
    f"{FIVE}\npruner: median": ("{quantile: 0.1}", "pruner", "and a quantile depends on that number"),
    f"{FIVE}\nconfirm: {{keep: 1}}\npromote: registry/x.yaml": ("median", "promote", "compares means"),
}


@pytest.mark.parametrize("more", BESIDE)
def test_what_holds_for_means_only_is_refused_beside_it(sweep_file: SweepFile, more: str) -> None:
    over, key, said = BESIDE[more]
    with pytest.raises(SpecError) as error:
        loaded(sweep_file, over, more)
    assert f" {key}: " in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_several_objectives_are_compared_by_means(sweep_file: SweepFile) -> None:
    one, other = "{metric: val_loss, direction: minimize", "{metric: train_loss, direction: minimize}"
    text = TOY_SWEEP.replace(f"{one}}}", f"[{one}, over: median}}, {other}]")
    with pytest.raises(SpecError, match=r"objective\[0\]\.over: several objectives are compared by means"):
        sweep_file.load(text)
