"""A sweep fixes what another one has found: choose one thing, then the next."""

from __future__ import annotations

from typing import Any

import pytest

from rothamsted import tags
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.errors import SpecError
from rothamsted.search import find_search
from rothamsted.spec import Sweep, resolved
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import find_run
from tests.sweeping.conftest import Project

PARENT: dict[str, Any] = {
    "name": "rates",
    "parameters": {"steps": 20, "n_points": 5},
    "space": {"lr": [0.01, 0.5]},
    "replicates": {"count": 3},
}
CONFIRMED = {**PARENT, "confirm": {"replicates": 3}}
CHILD: dict[str, Any] = {
    "name": "starts",
    "parameters_from": {"sweep": "rates"},
    "space": {"x": [0.0, 0.5]},
    "replicates": {"count": 2},
}


def run(project: Project, changes: dict[str, Any]) -> str:
    """Run a sweep to its end; returns the id of its run."""
    with project.start(changes) as opened:
        project.work(opened)
        return opened.sweep_run_id


def loaded(project: Project, changes: dict[str, Any]) -> Sweep:
    return load(project.write(changes), {}, project.root)[0]


def test_the_winners_values_are_fixed_below_what_the_sweep_says_itself(project: Project) -> None:
    run_id = run(project, CONFIRMED)
    # The toy's loss after t steps is 0.5 * (1 - lr) ** (2 t): 0.5 is better than 0.01.
    sweep = loaded(project, CHILD)
    assert sweep.parameters == {"lr": 0.5, "steps": 20, "n_points": 5}
    assert sweep.parameters_from is not None
    assert (sweep.parameters_from.run_id, sweep.parameters_from.values) == (run_id, {"lr": 0.5})
    assert loaded(project, {**CHILD, "parameters": {"lr": 0.2}}).parameters == {"lr": 0.2}
    assert loaded(project, {**CHILD, "space": {"lr": [0.3, 0.4]}}).parameters == {"steps": 20, "n_points": 5}


def test_what_was_taken_stands_in_tag_design_and_the_lines_that_reproduce(project: Project) -> None:
    parent_id = run(project, CONFIRMED)
    run_id = run(project, CHILD)
    said = f"lr 0.5, the confirmed winner of sweep rates, run {parent_id}"
    found = find_run(run_id, uri=project.tracking_uri)
    assert found is not None
    assert found.tags[tags.PARENT_SWEEP] == said
    dataset = read_sweep(run_id, uri=project.tracking_uri)
    assert dataset.design["parameters from"] == said
    assert f"# The file has the values that were taken: {said}." in dataset.how_to_reproduce


def test_a_sweep_keeps_what_it_took_when_the_other_grows(project: Project) -> None:
    run(project, {**PARENT, "space": {"lr": [0.01, 0.1]}})
    child = {**CHILD, "parameters_from": {"sweep": "rates", "take": "best"}}
    run(project, child)
    run(project, {**PARENT, "space": {"lr": [0.01, 0.1, 0.5]}})
    assert loaded(project, child).parameters["lr"] == 0.1
    run(project, child)  # goes on, with nothing left to do
    assert loaded(project, {**child, "name": "later"}).parameters["lr"] == 0.5


def test_a_recorded_file_needs_the_other_sweep_no_more(project: Project) -> None:
    run(project, CONFIRMED)
    plain = resolved(loaded(project, CHILD))
    other = {**plain, "storage": f"sqlite:///{project.root / 'another.db'}"}
    assert loaded(project, other).parameters["lr"] == 0.5


def test_what_the_other_sweep_could_not_rule_out_is_said(project: Project) -> None:
    near = {**CONFIRMED, "parameters": {"steps": 20, "n_points": 5, "own_noise": 0.1}, "space": {"lr": [0.5, 0.51]}}
    run(project, near)
    dataset = read_sweep(run(project, CHILD), uri=project.tracking_uri)
    [mark] = [mark for mark in dataset.marks if "could not rule out that another condition is the best: lr=0.5" in mark]
    assert mark.startswith("Parameters were taken from sweep rates. ")


REFUSED: dict[str, tuple[dict[str, Any] | None, Any, str]] = {
    "no such sweep": (None, "rates", "there is no sweep called 'rates' in sqlite:///"),
    "nothing confirmed": (PARENT, "rates", "confirms nothing; add confirm to it and give its command again, or say"),
    "itself": (PARENT, "starts", "'starts' is this very sweep; name another one"),
    "another word": (PARENT, {"sweep": "rates", "take": "winner"}, "take: must be 'confirmed' or 'best', not 'winner'"),
    "a parameter that is none here": (
        {**CONFIRMED, "space": {"optimizer.momentum": [0.0, 0.5]}},
        {"sweep": "rates", "values": {"momentun": 0.5}},
        "momentun: is not a parameter of study 'toy'",
    ),
}


@pytest.mark.parametrize(("parent", "key", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_taken_is_one_line_with_the_way_out(
    project: Project, parent: dict[str, Any] | None, key: Any, says: str
) -> None:
    if parent is not None:
        run(project, parent)
    with pytest.raises(SpecError) as refusal:
        loaded(project, {**CHILD, "parameters_from": key})
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert find_search(project.storage, "starts") is None


def test_an_unfinished_sweep_is_refused(project: Project) -> None:
    with project.start(CONFIRMED) as opened:
        project.work(opened, lambda events: len(events) > 2)
    with pytest.raises(SpecError, match=r"sweep 'rates' is not finished; give its command again first"):
        loaded(project, CHILD)
