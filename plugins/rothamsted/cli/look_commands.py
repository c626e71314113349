"""Run the commands that show and delete sweeps: list, status, open, delete."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted import places, tracking
from rothamsted.cli.arguments import pairs, take, take_many, take_truth
from rothamsted.cli.screen import Screen, is_agreed, screen_of
from rothamsted.cli.store import open_store, search_at
from rothamsted.errors import UserError
from rothamsted.inventory.names import STATES, refuse_unknown
from rothamsted.mlproject import find_home
from rothamsted.suggest import known_names

if TYPE_CHECKING:  # what reads searches is imported when the command line has no mistake: it imports Optuna
    from rothamsted.inventory.progress import SweepProgress
    from rothamsted.inventory.shipped import ShippedSweep
    from rothamsted.inventory.sweeps import ListedSweep

NOT_YET = 3  # exit status


def list_sweeps(arguments: Sequence[str]) -> int:
    """List the sweeps of both databases, and the sweep files of the project."""
    found, screen = pairs(arguments, command="list"), screen_of(arguments, command="list")
    wanted = [state for state in (take(found, "state") or "").split(",") if state]
    for state in wanted:
        if state not in STATES:
            raise UserError(f"rothamsted list: state={state} is not known; {known_names(state, STATES)}")

    from rothamsted.inventory.shipped import shipped_sweeps
    from rothamsted.inventory.sweeps import list_sweeps as all_sweeps

    given, shipped = take(found, "storage"), [] if wanted else shipped_sweeps(find_home(Path.cwd()))
    try:
        uri = open_store()
    except UserError as none_yet:
        if not shipped:
            raise
        screen.give({"sweeps": [], "shipped": [one.plain for one in shipped]})
        _show_shipped(shipped, screen)
        screen.say("", f"no sweep has run here: {none_yet}")
        return 0
    storage = search_at(given, uri)
    sweeps = [one for one in all_sweeps(uri=uri, storage=storage) if not wanted or one.state in wanted]
    screen.give({"sweeps": [one.plain for one in sweeps], "shipped": [one.plain for one in shipped]})
    if screen.is_quiet:
        screen.show(*[one.name for one in sweeps])
        return 0
    if shipped:
        _show_shipped(shipped, screen)
        screen.say("")
    if sweeps:
        _show_table(sweeps, screen)
    else:
        of_state = f" that is {' or '.join(wanted)}" if wanted else ""
        screen.say(f"no sweep{of_state} in {uri} and {storage}; rothamsted init writes a first sweep file")
    return 0


def _show_shipped(shipped: Sequence[ShippedSweep], screen: Screen) -> None:
    """The sweep files of the folder: what to call them, what they ask, what they cost."""
    from rich.markup import escape
    from rich.table import Table

    from rothamsted.inventory.shipped import FOLDER

    if screen.is_json or screen.is_quiet:
        return
    console = screen.console
    table = Table(box=None if not console.is_terminal else Table().box, pad_edge=False)
    for header, ratio in (("sweep file", None), ("question", 3), ("cost", 2)):
        table.add_column(header, overflow="fold", no_wrap=ratio is None, ratio=ratio)
    for one in shipped:
        table.add_row(*map(escape, (one.short, one.question, one.cost)))
    console.print(table)
    screen.say(
        f"to run one: rothamsted sweep {shipped[0].short}; to run all of a folder: rothamsted sweep --all "
        f"{FOLDER}/FOLDER"
    )


def _show_table(sweeps: Sequence[ListedSweep], screen: Screen) -> None:
    """A row a sweep, the newest first."""
    from rich.markup import escape
    from rich.table import Table

    console = screen.console
    table = Table(box=None if not console.is_terminal else Table().box, pad_edge=False)
    for header in ("sweep", "state", "conditions", "best so far", "interval", "n", "at", "started"):
        table.add_column(header, overflow="fold", no_wrap=header == "sweep")
    for one in sweeps:
        table.add_row(*map(escape, _row(one)))
    if not screen.is_json:
        console.print(table)
    for note in dict.fromkeys(f"{one.name}: {one.note}" for one in sweeps if one.note):
        screen.say(f"note: {note}")


def _row(one: ListedSweep) -> tuple[str, ...]:
    from rothamsted.cli.progress_lines import best_words

    done, of_all = ("?" if n is None else str(n) for n in (one.n_done, one.n_all))
    started = (
        datetime.datetime.fromtimestamp(one.started_ms / 1000).strftime("%Y-%m-%d %H:%M") if one.started_ms else ""
    )
    return one.name, one.state, f"{done} of {of_all}", *best_words(one), started


def status(arguments: Sequence[str]) -> int:
    """Show how far a sweep is; with --watch again and again until it is over.

    Exit status 0 where it is finished, 1 where it failed, 3 where it is not finished yet.
    """
    found, screen = pairs(arguments, command="status"), screen_of(arguments, command="status")
    name, is_watched = take(found, "sweep"), take_truth(found, "watch", "status")
    if name is None:
        raise UserError("rothamsted status: which sweep? write rothamsted status NAME; rothamsted list has the names")
    given = take(found, "storage")
    uri = open_store(lambda uri: refuse_unknown([name], uri=uri, storage=search_at(given, uri)))
    storage = search_at(given, uri)

    from rothamsted.cli.progress_lines import progress_lines, watch
    from rothamsted.inventory.progress import progress_of
    from rothamsted.inventory.sweeps import find_listed

    listed = find_listed(name, uri=uri, storage=storage)
    run = tracking.find_run(listed.run_id, uri=uri) if listed.run_id else None

    def read() -> SweepProgress:
        nonlocal listed, run
        if run is None:  # a sweep that has just been started gets its run in a moment
            listed = find_listed(listed.name, uri=uri, storage=storage)
            run = tracking.find_run(listed.run_id, uri=uri) if listed.run_id else None
        return progress_of(listed, run, storage=storage)

    progress = watch(read, screen) if is_watched else read()
    if not is_watched:
        screen.show(*progress_lines(progress))
    screen.give(progress.plain)
    return {"finished": 0, "failed": 1}.get(progress.listed.state, NOT_YET)


def delete(arguments: Sequence[str]) -> int:
    """Delete sweeps with all that belongs to them, after saying what that is."""
    found, screen = pairs(arguments, command="delete"), screen_of(arguments, command="delete")
    names, is_sure = take_many(found, "sweep"), take_truth(found, "yes", "delete")
    if not names:
        raise UserError("rothamsted delete: which sweep? write rothamsted delete NAME; rothamsted list has the names")
    given = take(found, "storage")
    uri = open_store(lambda uri: refuse_unknown(names, uri=uri, storage=search_at(given, uri)))
    storage = search_at(given, uri)

    from rothamsted.inventory.sweeps import find_listed

    for name in names:
        find_listed(name, uri=uri, storage=storage)

    from rothamsted.inventory import belongings  # what deletes imports MLflow: names that are wrong are told before

    every = [belongings.belongings_of(name, uri=uri, storage=storage, home=places.home(uri)) for name in names]
    screen.say(*[line for one in every for line in one.lines])
    if not is_sure and not is_agreed(screen, "Delete all of this? It cannot be undone.", command="delete"):
        screen.say("nothing is deleted")
        return NOT_YET
    for one in every:
        belongings.delete(one, uri=uri, storage=storage)
        screen.say(f"{one.name} is deleted")
    screen.give({"deleted": [one.name for one in every]})
    return 0
