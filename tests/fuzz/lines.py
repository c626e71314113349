"""Kinds of whole command lines: the words of every command, and what the analysis takes from its keys."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.harness import FaultError, Kind
from tests.fuzz.mutators import mutate_words, several
from tests.fuzz.structured import with_hydra

LINES = (
    ("report", "sweep=toys", "where=lr=0.1 'note=a b'", "plots=forest", "format=pdf", "size=90", "x=lr", "group=note"),
    ("analyze", "toys", "level=0.9", "interval=bca", "metric=val_loss", "direction=minimize", "reduce=mean:3"),
    (
        "analyze",
        "experiment=theirs",
        "group_by=lr,note",
        "replicate_by=seed",
        "metric=val_acc",
        "over_seeds=quantile:0.9",
    ),
    ("analyze", "--sweep", "toys", "--reference", "3", "--test=auto", "task=note", "task_scale={a: [0.1, 1.0]}"),
    ("compare", "runs=a,b", "smallest_difference=0.01", "correction=holm", "best=leaders"),
    ("power", "sweep=a", "difference=0.01", "power=0.8"),
    ("list", "--json", "-q"),
    ("worker", "toys", "wait=5m"),
    ("delete", "a", "b", "--yes"),
    ("sweep", "sweeps/quickstart.yaml", "--space", "lr=0.1,1", "gamma=interval(0,1)", "trials=3", "-q"),
    ("init", "train.py:train", "output=sweep.yaml"),
)


@functools.cache
def _dataset() -> Any:
    from rothamsted.analysis.read_rows import ResultRow, read_rows
    from rothamsted.analysis.values import Objective

    values = [
        {"lr": lr, "note": note, "seed": s, "val_loss": lr + s}
        for lr in (0.1, 1.0)
        for note in ("a b", "c")
        for s in (0, 1)
    ]
    rows = [ResultRow(values=one, place=f"row {n}") for n, one in enumerate(values)]
    objective = Objective(metric="val_loss", direction="minimize")
    return read_rows(rows, name="toys", group_by=["lr", "note"], replicate_by="seed", objective=objective)


def _lines(seeds: Sequence[Sequence[str]], random: Random) -> list[str]:
    def change(words: Sequence[str]) -> list[str]:
        if len(words) < 2 or random.random() < 0.8:
            return mutate_words(words, random, seeds)
        at = random.randrange(1, len(words))
        return [*words[:at], with_hydra(words[at], random), *words[at + 1 :]]

    return several(change, random.choice(seeds), random)


def _run_line(words: Sequence[str], given: Path) -> None:
    from rothamsted.analysis.only import matching
    from rothamsted.analysis.settings import Settings
    from rothamsted.cli import settings
    from rothamsted.cli.arguments import pairs
    from rothamsted.cli.figures import take_plots, take_where
    from rothamsted.cli.screen import screen_of
    from rothamsted.cli.usage import USAGES

    command = words[0] if words and words[0] in USAGES else "analyze"
    found = pairs(list(words[1:]), command=command)
    screen_of(list(words[1:]), command=command)
    if command not in ("report", "analyze", "compare", "power"):
        return
    take_plots(found, command)
    where = take_where(found)
    asked = settings.take_settings(found, command)
    for reader in (settings.take_over, settings.take_objective, settings.take_task, settings.take_plot_options):
        reader(found, command)
    made = replace(Settings(), **asked)
    if not all(math.isfinite(value) for value in vars(made).values() if isinstance(value, float)):
        raise FaultError(f"settings {made}")
    if where and not matching(_dataset(), where):
        raise FaultError(f"{where} is taken, and no condition has it")


KINDS = (Kind(name="command lines", seeds=lambda: LINES, mutate=_lines, run=_run_line),)
