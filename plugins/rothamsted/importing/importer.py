"""Run an import from an address to the runs in MLflow: find the source, read, write, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from rothamsted.errors import DataError
from rothamsted.importing.download import at_hand
from rothamsted.importing.fitted import FittedRun
from rothamsted.importing.next_command import Guess, SeenRuns, guess
from rothamsted.importing.sources import check_options, known_source, source_of
from rothamsted.importing.values import ImportedRun, UnreadRun
from rothamsted.importing.write import RunWriter, TakenRun
from rothamsted.masking import masked, without_secrets

MOST_NOTES = 1_000  # different ones that are counted
MOST_SHOWN = 50  # runs that a dry run and the result as JSON name


@dataclass
class Imported:
    """Says what an import did, or would do.

    Attributes:
        kind: name of the source.
        experiment: where the runs are.
        experiment_id: MLflow's id; empty: nothing was written.
        counts: numbers of runs that are new, updated, there already.
        states: of the runs at their source.
        n_points: number of points written.
        n_unread: number of runs that could not be read; the notes say why.
        runs: the first runs, as plain values.
        notes: what could not be imported -> number of runs.
        guess: what to analyse.
    """

    kind: str
    experiment: str
    experiment_id: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    n_points: int = 0
    n_unread: int = 0
    runs: list[dict[str, Any]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    guess: Guess | None = None

    @property
    def n_runs(self) -> int:
        """Say how many runs the source has."""
        return self.counts.total()


def import_from(
    address: str,
    *,
    kind: str | None,
    options: Mapping[str, str],
    experiment: str | None,
    checksum: str | None,
    open_writer: Callable[[str, str], AbstractContextManager[tuple[RunWriter, str]]] | None,
    tell: Callable[[Imported], None] = lambda so_far: None,
) -> Imported:
    """Bring the runs of an address into an experiment.

    Args:
        address: a path or a URL.
        kind: name of the source to use; None: the first that knows the address.
        options: options of the source.
        experiment: where the runs go; None: imported-KIND.
        checksum: SHA-256 that the file must have; None: any.
        open_writer: function of an experiment and a source that gives the writer and the experiment's id; None: nothing
            is written.
        tell: function that gets the progress after each run.

    Raises:
        UserError: the address, kind or option is wrong, or a source or store cannot be used.
    """
    if kind is not None:
        known_source(kind)
    with at_hand(address, checksum=checksum) as (path, inside, place):
        name, row = source_of(path, kind)
        check_options(name, row, options)
        done = Imported(kind=name, experiment=experiment or f"imported-{name}")
        runs = _readable(row.functions.read(path, options), done, inside, place)
        first = next(runs, None)
        if first is None:
            unread = next(iter(done.notes), "")
            looked_for = f"no run found; looked for {row.looks_for}; kind=NAME says what it is"
            raise DataError(unread or f"{masked(address)}: {looked_for}")
        seen = SeenRuns()
        shown = place or (without_secrets(path) if "://" in path else str(Path(path).resolve()))
        if open_writer is None:
            for run in chain([first], runs):
                _add(done, seen, run, looked_at(run))
                tell(done)
        else:
            with open_writer(done.experiment, shown) as (writer, done.experiment_id):
                for run in chain([first], runs):
                    _add(done, seen, run, writer.take(run))
                    tell(done)
    done.guess = guess(seen)
    return done


def looked_at(run: ImportedRun) -> TakenRun:
    """Return what would be written of a run."""
    fitted, metrics, n_points = FittedRun(run), set[str](), 0
    for point in run.points:
        kept = fitted.point(point, 0)
        if kept is not None:
            metrics.add(kept.key)
            n_points += 1
    n_points += len(run.summary.keys() - metrics)
    metrics |= run.summary.keys()
    return TakenRun(
        name=fitted.name,
        run_id="",
        fate="new",
        n_points=n_points,
        params=fitted.params,
        metrics=sorted(metrics),
        notes=fitted.notes(),
    )


def _readable(
    runs: Iterable[ImportedRun | UnreadRun], done: Imported, inside: str, place: str
) -> Iterator[ImportedRun]:
    """The runs that can be read; of a file in a temporary folder with the lasting address in their identity."""
    for run in runs:
        if isinstance(run, UnreadRun):
            done.n_unread += 1
            _note(done, [masked(run.reason)])
        else:
            yield replace(run, source_id=run.source_id.replace(inside, place)) if inside else run


def _note(done: Imported, notes: Iterable[str]) -> None:
    """Count the runs that a note is of; of very many different ones the first."""
    for note in dict.fromkeys(notes):
        if note in done.notes or len(done.notes) < MOST_NOTES:
            done.notes[note] += 1


def _add(done: Imported, seen: SeenRuns, run: ImportedRun, written: TakenRun) -> None:
    done.counts[written.fate] += 1
    done.states[str(run.state)] += 1
    done.n_points += written.n_points
    _note(done, written.notes)
    seen.add(written.params, written.metrics, metric=run.metric, direction=run.direction)
    if len(done.runs) < MOST_SHOWN:
        done.runs.append(
            {
                "name": written.name,
                "run_id": written.run_id,
                "fate": written.fate,
                "state": str(run.state),
                "n_params": len(written.params),
                "n_points": written.n_points,
                "metrics": list(written.metrics),
                "notes": list(written.notes),
            }
        )
