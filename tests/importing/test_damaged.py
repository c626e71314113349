"""Damaged files of every source: one line or a note, whatever byte is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from torch.utils.tensorboard import SummaryWriter

from rothamsted.errors import UserError
from rothamsted.importing.importer import Imported, import_from
from tests.importing.test_ray_tune import KEPT

TABLE = pd.DataFrame({"run_id": ["a", "a", "b"], "step": [0, 1, 0], "lr": [0.1, 0.1, 0.5], "loss": [1.0, 0.5, 0.9]})


def _csv(folder: Path) -> Path:
    TABLE.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def _parquet(folder: Path) -> Path:
    TABLE.to_parquet(folder / "t.parquet")
    return folder / "t.parquet"


def _json_lines(folder: Path) -> Path:
    TABLE.to_json(folder / "t.jsonl", orient="records", lines=True)
    return folder / "t.jsonl"


def _index(folder: Path) -> Path:
    (folder / "r.json").write_text(
        '{"runs": [{"id": "a", "config": {"lr": 0.1}, "history": [{"step": 0, "loss": 1}], "tags": {"x": [1]}}]}'
    )
    return folder / "r.json"


def _events(folder: Path) -> Path:
    with SummaryWriter(str(folder)) as writer:
        writer.add_scalar("loss", 0.5, 1)
        writer.add_hparams({"lr": 0.1}, {"final": 1.0}, run_name=".")
    return next(folder.glob("*tfevents*"))


def _yaml(folder: Path) -> Path:
    (folder / "metrics.csv").write_text("step,loss\n0,1\n")
    (folder / "config.yaml").write_text("optimizer: {lr: 0.1, betas: [0.9, 0.99]}\nname: &a x\nother: *a\n")
    return folder / "config.yaml"


def _hydra(folder: Path) -> Path:
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "config.yaml").write_text("lr: 0.1\n")
    (folder / ".hydra" / "overrides.yaml").write_text("- lr=0.1\n")
    (folder / ".hydra" / "hydra.yaml").write_text("hydra: {runtime: {output_dir: /x, choices: {model: a}}}\n")
    return folder / ".hydra" / "hydra.yaml"


def _ray(what: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        [trial] = KEPT.rglob("*00000_0*")
        shutil.copytree(trial, folder / trial.name)
        shutil.copy(next(KEPT.rglob("experiment_state*")), folder)
        return next(folder.rglob(what))

    return write


def _journal(folder: Path) -> Path:
    storage = JournalStorage(JournalFileBackend(str(folder / "a.journal")))
    optuna.create_study(storage=storage).optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    return folder / "a.journal"


WRITTEN: dict[str, Callable[[Path], Path]] = {
    "a csv table": _csv,
    "a parquet table": _parquet,
    "json lines": _json_lines,
    "an index": _index,
    "an event file": _events,
    "a yaml config": _yaml,
    "a file of hydra": _hydra,
    "a result of ray": _ray("result.json"),
    "params of ray": _ray("params.json"),
    "a state of ray": _ray("experiment_state*"),
    "a journal of optuna": _journal,
}


def mutants(whole: bytes, n: int) -> list[bytes]:
    """Cut off, a bit turned, a part doubled, a part left out, other bytes put in."""
    rng, found = np.random.default_rng(0), []
    for number in range(n):
        at, end = sorted(int(one) for one in rng.integers(0, len(whole) + 1, 2))
        odd = [b"\0", b"\xff\xfe", b'"', b"[[[[", b"1e999", b"\xed\xa0\x80", b"NaN", b"9" * 400, b"&a *a", b"\n"]
        found.append(
            [
                whole[:at],
                whole[:at] + bytes([whole[at % len(whole)] ^ (1 << int(rng.integers(8)))]) + whole[at + 1 :],
                whole[:end] + whole[at:],
                whole[:at] + whole[end:],
                whole[:at] + odd[number % len(odd)] + whole[at:],
            ][number % 5]
        )
    return found


@pytest.mark.parametrize("what", WRITTEN)
def test_a_damaged_file_is_one_line_or_a_note_and_never_a_traceback(what: str, tmp_path: Path) -> None:
    path = WRITTEN[what](tmp_path)
    address = str(path if path.parent == tmp_path and path.suffix not in (".yaml",) else tmp_path)
    address = str(tmp_path) if what.startswith("a state") else address
    whole = path.read_bytes()
    assert _looked_at(address).n_runs
    refusals, n_noted, n_taken = list[str](), 0, 0
    for mutant in mutants(whole, 100):
        path.write_bytes(mutant)
        try:
            found = _looked_at(address)
        except UserError as error:
            refusals.append(str(error))
        else:
            n_noted += bool(found.notes)
            n_taken += 1
    assert not any("\n" in line for line in refusals)
    assert n_taken  # not every change is a fault
    assert refusals or n_noted  # and some are


def _looked_at(address: str) -> Imported:
    return import_from(address, kind=None, options={}, experiment=None, checksum=None, open_writer=None)
