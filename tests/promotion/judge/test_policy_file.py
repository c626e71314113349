"""Policy files: each mistake gives one line with place, key, rule, value and way out; and which policy judges what."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rothamsted.errors import SpecError
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.policy_file import find_policy, load_policy, policies_for
from tests.conftest import ROOT

TOY = """\
# Question: is it better?
model: toy
study: toy
objective: {metric: val_loss, direction: minimize}
level: 0.95
smallest_improvement: 1.0e-3
replicates: 5
constraints:
  - parameters < 5e6
  - val_accuracy/ci_low > 0.9
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write policies into the registry of an empty project; gives its root."""

    def write_all(**texts: str) -> Path:
        (tmp_path / "registry").mkdir(exist_ok=True)
        for name, text in texts.items():
            (tmp_path / "registry" / f"{name}.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return write_all


def test_a_policy_file_is_read_with_its_values(write: Write) -> None:
    policy = load_policy("registry/toy.yaml", write(toy=TOY))
    assert (policy.model, policy.replicates, policy.smallest_improvement) == ("toy", 5, 0.001)
    assert policy.constraints == ("parameters < 5e6", "val_accuracy/ci_low > 0.9")


def test_a_path_is_taken_from_the_root_or_as_it_stands(write: Write) -> None:
    root = write(toy=TOY)
    assert load_policy(root / "registry" / "toy.yaml", root) == load_policy("registry/toy.yaml", root)


# (text of the toy's policy, what stands there instead, line and key, what it must say)
MISTAKES = {
    "unknown key": ("level:", "levle:", "5: levle: ", "is not a key of a policy; did you mean level?"),
    "unknown key below": (
        "direction: minimize",
        "direction: minimize, goal: 0.1",
        "4: objective.goal: ",
        "is not a key of a policy here; known: metric, direction",
    ),
    "unknown alias": ("level: 0.95", "aliases: {winner: a}", "5: aliases.winner: ", "known: champion, previous"),
    "key given twice": ("level: 0.95", "study: toy", "5: study: ", "given twice, first in line 3"),
    "missing model": ("model: toy\n", "", " model: ", "is missing; every policy needs it"),
    "missing direction": (", direction: minimize", "", "4: objective.direction: ", "is missing; every policy needs it"),
    "neither study nor sweep": ("study: toy\n", "", " study: ", "is missing; give the study, or the sweep"),
    "number in quotes": ("1.0e-3", "'1e-3'", "6: smallest_improvement: ", "must be a valid number, not '1e-3'"),
    "number that is not finite": ("1.0e-3", ".inf", "6: smallest_improvement: ", "must be a finite number"),
    "level above one": ("0.95", "95.0", "5: level: ", "must be less than 1, not 95.0"),
    "unknown direction": (
        "minimize",
        "down",
        "4: objective.direction: ",
        "must be 'minimize' or 'maximize', not 'down'",
    ),
    "unknown test": (
        "level: 0.95",
        "test: anova",
        "5: test: ",
        "there is no comparison 'anova'; known: paired_t, welch, paired_permutation, permutation",
    ),
    "correction without a family-wise rate": (
        "level: 0.95",
        "correction: bh",
        "5: correction: ",
        "known: holm, bonferroni",
    ),
    "too few replicates": ("replicates: 5", "replicates: 2", "7: replicates: ", "greater than or equal to 3, not 2"),
    "margin without its kind": ("level: 0.95", "margin: 0.1", "5: margin: ", "is for kind: non_inferiority"),
    "kind without its margin": (
        "level: 0.95",
        "kind: non_inferiority",
        " margin: ",
        "is missing; non_inferiority needs",
    ),
    "one name for two aliases": (
        "level: 0.95",
        "aliases: {champion: a, previous: a}",
        "5: aliases.previous: ",
        "give another one",
    ),
    "constraint without a number": ("< 5e6", "< many", "9: constraints[0]: ", "is not a constraint; write METRIC"),
    "statistic gone wrong": ("ci_low", "ci_lo", "10: constraints[1]: ", "did you mean ci_low?"),
    "constraints that are no list": (
        "constraints:\n  - parameters < 5e6\n  - val_accuracy/ci_low > 0.9\n",
        "constraints: parameters < 5\n",
        "8: constraints: ",
        "must be a list, not 'parameters < 5'",
    ),
    "broken YAML": ("minimize}", "minimize", ":5: ", "is not YAML"),
    "several mistakes": ("level: 0.95\nsmall", "level: 2.0\nreplicate: 1\nsmall", "6: replicate: ", "(and 1 more)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_policy_gives_one_line_with_its_place(name: str, write: Write) -> None:
    old, new, place, said = MISTAKES[name]
    assert old in TOY
    root = write(toy=TOY.replace(old, new, 1))
    with pytest.raises(SpecError) as error:
        load_policy("registry/toy.yaml", root)
    message = str(error.value)
    assert message.startswith("registry/toy.yaml:")
    assert place in message
    assert said in message
    assert "\n" not in message


def test_text_that_no_database_keeps_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('model: m\nstudy: "\\0"\n')
    with pytest.raises(SpecError, match=r"^policy\.yaml:2: study: .*NUL.* remove it$"):
        load_policy("policy.yaml", tmp_path)


@pytest.mark.parametrize("text", ["", "- a list\n", "text\n"])
def test_a_file_that_is_no_mapping_is_refused_with_the_keys_that_there_are(text: str, write: Write) -> None:
    with pytest.raises(SpecError, match="must be a mapping of keys to values; known: model, study, sweep"):
        load_policy("registry/toy.yaml", write(toy=text))


def test_a_file_that_is_missing_is_named_as_its_user_named_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^registry/none\.yaml: there is no such file; give the path of a policy"):
        load_policy("registry/none.yaml", tmp_path)


def test_a_folder_is_no_policy(write: Write) -> None:
    with pytest.raises(SpecError, match=r"^registry: must be a file, and is a folder; give the path of a policy"):
        load_policy("registry", write())


def test_the_policy_of_a_study_judges_its_sweeps(write: Write) -> None:
    root = write(toy=TOY, other=TOY.replace("toy", "other"))
    assert find_policy(root, "toy", sweep="toy-lr") == Path("registry/toy.yaml")


def test_a_policy_that_names_the_sweep_goes_before_the_one_of_its_study(write: Write) -> None:
    named = TOY.replace("model: toy", "model: quick").replace("study: toy", "study: toy\nsweep: quickstart")
    root = write(toy=TOY, quick=named)
    assert find_policy(root, "toy", sweep="quickstart") == Path("registry/quick.yaml")
    assert find_policy(root, "toy", sweep="another") == Path("registry/toy.yaml")


def test_a_policy_that_names_the_sweep_of_another_study_does_not_judge_it(write: Write) -> None:
    root = write(toy=TOY, quick=TOY.replace("study: toy", "study: other\nsweep: quickstart"))
    assert find_policy(root, "toy", sweep="quickstart") == Path("registry/toy.yaml")


def test_without_a_policy_the_error_says_what_there_is(write: Write) -> None:
    said = "no policy judges sweep 'lr' of study 'new'; write one, or say policy=FILE; there are: registry/toy.yaml ("
    with pytest.raises(SpecError, match=re.escape(said)):
        find_policy(write(toy=TOY), "new", sweep="lr")


def test_without_a_registry_there_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no policy judges study 'toy'.*there are: none"):
        find_policy(tmp_path, "toy")


def test_of_several_policies_the_user_has_to_say_which(write: Write) -> None:
    root = write(a=TOY, b=TOY.replace("model: toy", "model: toy2"))
    with pytest.raises(SpecError, match=r"2 policies judge study 'toy': registry/a\.yaml, registry/b\.yaml; say which"):
        find_policy(root, "toy")


def test_a_broken_policy_is_not_passed_over(write: Write) -> None:
    with pytest.raises(SpecError, match=r"^registry/broken\.yaml:5: level"):
        find_policy(write(toy=TOY, broken=TOY.replace("0.95", "2.0")), "toy")


@pytest.mark.parametrize(
    "text", ["model: [", "- a list", "a: &a [*a]", "x: " + "[" * 2_000, TOY.replace("toy", "other")[:-9]]
)
def test_a_broken_policy_stops_only_whom_it_names(text: str, write: Write) -> None:
    root = write(toy=TOY, other=text)
    assert find_policy(root, "toy", sweep="toy-lr") == Path("registry/toy.yaml")
    assert [path.name for path, _ in policies_for(root, "toy")] == ["toy.yaml"]
    with pytest.raises(SpecError, match=r"^registry/other\.yaml"):
        find_policy(root, "other")


@pytest.mark.parametrize("path", sorted((ROOT / "registry").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_policy_is_valid_and_says_what_it_is_for(path: Path) -> None:
    policy = load_policy(path, ROOT)
    opening = path.read_text(encoding="utf-8").partition(f"model: {policy.model}")[0]
    assert [word for word in ("Question:", "Cost:", "Expected:", "Source:") if word not in opening] == []


def test_each_shipped_policy_is_for_a_model_of_its_own() -> None:
    models = [load_policy(path, ROOT).model for path in (ROOT / "registry").glob("*.yaml")]
    assert len(set(models)) == len(models) > 0


def test_each_study_of_the_project_has_a_policy() -> None:
    studies = [folder.parent.name for folder in (ROOT / "projects").glob("*/__main__.py")]
    assert studies
    assert [load_policy(find_policy(ROOT, study), ROOT).study for study in studies] == studies


def test_every_key_of_a_policy_stands_in_the_table_of_the_docs() -> None:
    table = (ROOT / "docs" / "promotion.md").read_text(encoding="utf-8").partition("| key |")[2].partition("\n\n")[0]
    assert [key for key in Policy.model_fields if f"`{key}" not in table] == []
