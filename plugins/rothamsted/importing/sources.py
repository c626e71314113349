"""List the sources, one row for each. The first that knows an address reads it.

A source is a module with two functions:

    matches(address: str) -> bool whether it can read the address (a path as it was given, or a URL); quick, without
    heavy imports read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun | UnreadRun] its runs, one by
    one, or why one of many cannot be read; raises UserError (DataError, StoreError) with the way out if nothing more
    can be read

The options are those of the row that were given; others are refused before `read` is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from rothamsted.errors import DataError, UserError
from rothamsted.masking import masked
from rothamsted.named_files import is_there
from rothamsted.suggest import known_names


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """Describes one source.

    Attributes:
        module: name of the module with `matches` and `read`; it is imported when it is needed.
        label: what it reads, for messages and the docs.
        looks_for: what it looks for at an address; a message says so if nothing is found.
        options: keys of the command line that it takes.
    """

    module: str
    label: str
    looks_for: str
    options: tuple[str, ...] = ()

    @property
    def functions(self) -> ModuleType:
        """Return the module."""
        return import_module(self.module)


_HERE = "rothamsted.importing"
SOURCES: Mapping[str, SourceRow] = {
    "wandb": SourceRow(
        module=f"{_HERE}.wandb.api",
        label="a project of Weights & Biases",
        looks_for="wandb://ENTITY/PROJECT",
        options=("group",),
    ),
    "wandb_offline": SourceRow(
        module=f"{_HERE}.wandb.offline",
        label="folders of Weights & Biases",
        looks_for="files run-*.wandb",
        options=("group",),
    ),
    "optuna": SourceRow(
        module=f"{_HERE}.optuna_study",
        label="an Optuna study",
        looks_for="the address of a database, an SQLite file, an Optuna JournalFile",
        options=("study",),
    ),
    "ray_tune": SourceRow(
        module=f"{_HERE}.ray_tune", label="Ray Tune's results", looks_for="folders with params.json and result.json"
    ),
    "hydra": SourceRow(
        module=f"{_HERE}.hydra",
        label="Hydra's jobs",
        looks_for="folders with .hydra/config.yaml",
        options=("step_by", "time_zone"),
    ),
    "tensorboard": SourceRow(
        module=f"{_HERE}.tensorboard", label="TensorBoard event files", looks_for="files called *tfevents*"
    ),
    "folder": SourceRow(
        module=f"{_HERE}.plain_folder",
        label="folders of config and metrics",
        looks_for="folders with metrics.csv, history.csv, *.jsonl or results.json",
        options=("step_by", "time_zone"),
    ),
    "table": SourceRow(
        module=f"{_HERE}.table",
        label="a table of runs",
        looks_for="a file .csv, .tsv, .parquet or .jsonl",
        options=("run_by", "step_by", "params", "metrics", "time_zone"),
    ),
    "index": SourceRow(
        module=f"{_HERE}.index",
        label="an index of runs",
        looks_for="a file .json",
        options=("step_by", "time_zone"),
    ),
}


def source_of(address: str, kind: str | None = None) -> tuple[str, SourceRow]:
    """Return the source that reads an address.

    Args:
        address: a path or a URL.
        kind: name of the source to use; None: the first that knows the address.

    Raises:
        UserError: there is no such source.
        DataError: there is nothing, or no source knows it; the message says what was looked for.
    """
    if "://" not in address and not is_there(address):
        raise DataError(f"{address}: there is no such file or folder; correct source=")
    if kind is not None:
        return kind, known_source(kind)
    for name, row in SOURCES.items():
        if row.functions.matches(address):
            return name, row
    raise DataError(
        f"{masked(address)}: no run found; looked for {'; '.join(row.looks_for for row in SOURCES.values())}; "
        "kind=NAME says what it is"
    )


def known_source(kind: str) -> SourceRow:
    """Return the row of a source by its name.

    Raises:
        UserError: there is none.
    """
    if kind not in SOURCES:
        raise UserError(f"kind={kind}: is not known; {known_names(kind, SOURCES)}")
    return SOURCES[kind]


def check_options(kind: str, row: SourceRow, options: Mapping[str, str]) -> None:
    """Refuse options that a source does not take.

    Raises:
        UserError: one is of another source.
    """
    for key in options:
        if key not in row.options:
            takes = f"; it takes {', '.join(row.options)}" if row.options else "; it takes none"
            raise UserError(f"{key}={options[key]}: {row.label} (kind={kind}) has no such option{takes}")
