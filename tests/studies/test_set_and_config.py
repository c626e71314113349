"""Fields of a run by hand from `--set` in Hydra's grammar and from a file: what wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rothamsted.errors import UserError
from rothamsted.studies.command_line import parse
from tests.sketch import STUDY, Config, Model


def config(*argv: object) -> object:
    return parse(STUDY, [str(word) for word in argv])[0]


def test_set_gives_lists_mappings_and_nested_fields_in_hydras_grammar() -> None:
    # Authority: Hydra's documentation, "Basic Override syntax": quoted text, lists, dictionaries, numbers.
    text = "model.hidden=[256,256,128] model.dropout=0.2 weights={a:1,b:2.5} activation=tanh path='a b.txt'"
    wanted = Config(
        model=Model(hidden=(256, 256, 128), dropout=0.2), weights={"a": 1, "b": 2.5}, activation="tanh", path="a b.txt"
    )
    assert config("--set", text) == config(f"--set={text}") == wanted


def test_a_group_can_be_set_as_a_whole() -> None:
    assert config("--set", "model={hidden:[7],dropout:0.1} lr=1e-2") == Config(
        lr=0.01, model=Model(hidden=(7,), dropout=0.1)
    )


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--set", "lr=0.1,0.2"], r"--set: lr: 'lr=0\.1,0\.2' gives several values; .* others go in space"),
        (["--set", "lr=interval(0,1)"], r"gives several values"),
        (["--set", "lr=0.1", "--lr", "0.2"], r"--set: lr is given as --lr, too; give one of the two"),
        (["--set", "lr=0.1 lr=0.2"], r"--set: lr: is given twice"),
        (["--set", "model.hiden=[1]"], r"--set: model\.hiden is not a field of Config; did you mean model\.hidden\?"),
        (["--set", "lr="], r"--set: lr: has no value"),
        (["--set", ""], r"--set: no parameter in ''"),
        (["--set", "model.hidden=[1,fast]"], r"--model\.hidden.*valid integer"),
        (["--set", "+lr=1"], r"adds, deletes or names a package; write lr=VALUES only"),
    ],
)
def test_what_set_cannot_take_is_refused(argv: list[str], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        config(*argv)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", '{"seed": 4, "lr": 1e-1, "model": {"hidden": [3, 2]}}'),
        ("c.yaml", "seed: 4\nlr: 1e-1\nmodel.hidden: [3, 2]\n"),
    ],
)
def test_a_file_gives_fields_and_the_command_line_wins_wherever_it_stands(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert config("--config", path) == Config(seed=4, lr=0.1, model=Model(hidden=(3, 2)))
    wanted = Config(seed=4, lr=0.25, model=Model(hidden=(9,)))
    assert config("--lr", "0.25", "--set", "model.hidden=[9]", "--config", path) == wanted
    assert config(f"--config={path}", "--lr", "0.25", "--set", "model.hidden=[9]") == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "lr: 0.1\nmodel:\n  hiden: [3]\n",
            r"c\.yaml:3: model\.hiden: is not a field of Config; did you mean model\.hidden",
        ),
        ("lr: [0.1\n", r"c\.yaml:\d: is not YAML"),
        ("- 1\n", r"c\.yaml: must be a mapping"),
        ("lr: fast\n", r"--lr of Config: .*valid number.*'fast'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=reason):
        config("--config", tmp_path / "c.yaml")


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"--config: there is no file 'nowhere\.yaml'"):
        config("--config", "nowhere.yaml")
