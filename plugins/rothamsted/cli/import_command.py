"""Run the command import_runs, which imports runs of other tools."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rothamsted import places, tracking
from rothamsted.cli.arguments import pairs, take, take_truth
from rothamsted.cli.screen import Screen, screen_of
from rothamsted.errors import UserError
from rothamsted.importing.download import checked_checksum
from rothamsted.importing.importer import Imported, import_from
from rothamsted.importing.next_command import MOST_GROUPED, Guess, analyze_words
from rothamsted.importing.times import zone_of
from rothamsted.masking import masked
from rothamsted.named_files import is_there
from rothamsted.recordable import MAX_NAME, text_fault
from rothamsted.tags import IMPORT_FILE
from rothamsted.wording import plain_count, verb

if TYPE_CHECKING:  # what writes is imported when the source has been found
    from rothamsted.importing.write import RunWriter

_SECONDS_A_LINE = 5.0  # between two lines of progress
_FATES = {"new": "new", "updated": "brought up to date", "there": "there already"}
_MOST_NOTES, _MOST_RUNS = 8, 20  # that are printed


def import_runs(arguments: Sequence[str]) -> int:
    """Bring runs of another tool into MLflow."""
    command = "import_runs"
    found, screen = pairs(arguments, command=command), screen_of(arguments, command=command)
    address, experiment, kind = take(found, "source"), take(found, "experiment"), take(found, "kind")
    if address is None:
        raise UserError(f"rothamsted {command}: source= is missing; give a folder, a file or an address")
    if experiment is not None and (not experiment.strip() or text_fault(experiment, most=MAX_NAME)):
        raise UserError(f"rothamsted {command}: experiment= is not a name; give one of at most {MAX_NAME} characters")
    is_dry, checksum = take_truth(found, "dry_run", command), checked_checksum(take(found, "checksum"))
    options = {key: text for key, text in found.items() if text != ""}
    zone_of(options.get("time_zone"))
    done = import_from(
        _input_place(address),
        kind=kind,
        options=options,
        experiment=experiment,
        checksum=checksum,
        open_writer=None if is_dry else _opened,
        tell=_progress(screen),
    )
    _show(done, address, screen, is_dry=is_dry)
    return 0


def _input_place(given: str) -> str:
    """A path as this process finds it: of the project, or of the folder where the user gave the command."""
    own = places.command_folder() / given
    return given if "://" in given or is_there(given) or not is_there(own) else str(own)


@contextmanager
def _opened(experiment: str, shown: str) -> Iterator[tuple[RunWriter, str]]:
    """The writer of an experiment, which is made where there is none, as the store is."""
    from rothamsted.importing.write import RunWriter

    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    tracking.migrate(uri)
    tracking.deliver_left(uri)
    experiment_id = tracking.experiment_called(experiment, uri)
    runs = tracking.ImportedRuns(uri, experiment_id)
    with (
        tracking.open_recorder(uri) as recorder,
        RunWriter(recorder, runs, experiment_id=experiment_id, address=shown) as writer,
    ):
        yield writer, experiment_id


def _progress(screen: Screen) -> Callable[[Imported], None]:
    """Says every few seconds how far it is."""
    said_at: float | None = None

    def tell(done: Imported) -> None:
        nonlocal said_at
        if said_at is None:
            said_at = time.monotonic()
        elif time.monotonic() - said_at >= _SECONDS_A_LINE:
            said_at = time.monotonic()
            screen.say(f"{_runs(done.n_runs)}, {_points(done)} so far")

    return tell


def _runs(n: int) -> str:
    return plain_count(n, "run")


def _points(done: Imported) -> str:
    return plain_count(done.n_points, "point")


def _show(done: Imported, address: str, screen: Screen, *, is_dry: bool) -> None:
    words = None if done.guess is None else analyze_words(done.guess, done.experiment)
    command = None if words is None else _line(words)
    screen.give(_plain(done, address, command, is_dry=is_dry))
    states = ", ".join(f"{n} {state}" for state, n in done.states.items())
    came = f"{address}: {_runs(done.n_runs)} ({done.kind}; {states})"
    if is_dry:
        screen.show(f"{came}, {_points(done)}; nothing is written", *_run_lines(done))
    else:
        fates = ", ".join(f"{done.counts[fate]} {said}" for fate, said in _FATES.items())
        screen.show(f"{came} in experiment {done.experiment}: {fates}; {_points(done)} written")
    if done.n_unread:
        screen.show(f"{_runs(done.n_unread)} could not be read and {verb(done.n_unread, 'is', 'are')} left out:")
    for note, n in done.notes.most_common(_MOST_NOTES):
        screen.say(f"  note, {_runs(n)}: {note}")
    if len(done.notes) > _MOST_NOTES:
        where = "" if is_dry else f"; each run has its own in {IMPORT_FILE}"
        screen.say(f"  … and {plain_count(len(done.notes) - _MOST_NOTES, 'other note')}{where}")
    _show_next(done.guess, command, screen)
    if not is_dry:
        uri = tracking.tracking_uri()
        screen.say(f"in MLflow: {tracking.ui_command(uri)}    # then {_page(uri, done.experiment_id)}")


def _plain(done: Imported, address: str, command: str | None, *, is_dry: bool) -> dict[str, Any]:
    """The result as JSON has it."""
    return {
        "source": masked(address),
        "kind": done.kind,
        "experiment": done.experiment,
        "experiment_id": done.experiment_id,
        "is_dry_run": is_dry,
        "runs": done.n_runs,
        **{fate: done.counts[fate] for fate in _FATES},
        "unread": done.n_unread,
        "states": dict(done.states),
        "points": done.n_points,
        "notes": dict(done.notes),
        "varies": {} if done.guess is None else dict(done.guess.n_values),
        "analyze": command,
        "first_runs": done.runs,
    }


def _run_lines(done: Imported) -> list[str]:
    lines = [
        f"  {run['name']}: {run['state']}, {plain_count(run['n_params'], 'param')}, "
        f"{plain_count(run['n_points'], 'point')} of "
        f"{', '.join(run['metrics'][:6]) or 'no metric'}"
        for run in done.runs[:_MOST_RUNS]
    ]
    return [*lines, *([f"  … and {done.n_runs - _MOST_RUNS} more"] if done.n_runs > _MOST_RUNS else [])]


def _show_next(guessed: Guess | None, command: str | None, screen: Screen) -> None:
    if guessed is None:
        return
    if guessed.n_values:
        screen.say(
            "varies: "
            + ", ".join(f"{name} ({plain_count(n, 'value')})" for name, n in list(guessed.n_values.items())[:12])
        )
    if command is None:
        screen.say("there is nothing to compare yet: no parameter that all runs have varies, or nothing was measured")
        return
    if not guessed.replicate_by:
        screen.say("none of these is a seed by its name; add replicate_by=NAME if one of them tells replicates apart")
    if len(guessed.group_by) > MOST_GROUPED:
        screen.say(f"group_by names the first {MOST_GROUPED} of {len(guessed.group_by)} parameters; choose your own")
    screen.say(f"analyse them: {command}")


def _line(words: Mapping[str, str]) -> str:
    from rothamsted.analysis.commands import run_line

    return run_line("analyze", words, is_in_project=False)


def _page(uri: str, experiment_id: str) -> str:
    return f"{tracking.ui_address(uri)}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"
