"""Run the commands that check and clean the databases and their files: doctor, prune."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rothamsted import places
from rothamsted.cli.arguments import pairs, take, take_many, take_truth
from rothamsted.cli.screen import Screen, is_agreed, screen_of
from rothamsted.cli.store import open_store, search_at
from rothamsted.inventory.names import refuse_unknown
from rothamsted.wording import plain_count

if TYPE_CHECKING:  # what reads searches is imported when the command line has no mistake: it imports Optuna
    from rothamsted.inventory.care.damage import Damage
    from rothamsted.inventory.care.doctor import LookedOver

MOST_SHOWN = 3  # things of one kind that the table names; --json has all
LEFT = 1  # exit status: something was found, and is not mended
NOT_DONE = 3


def doctor(arguments: Sequence[str]) -> int:
    """Check both databases and the artifacts against each other, and repair what can be repaired.

    Exit status 0: nothing was found, or all of it is mended; 1: something is left.
    """
    found, screen = pairs(arguments, command="doctor"), screen_of(arguments, command="doctor")
    names = take_many(found, "sweep")
    mends, is_sure = take_truth(found, "repair", "doctor"), take_truth(found, "yes", "doctor")
    deletes = take_truth(found, "folders", "doctor")
    given = take(found, "storage")
    uri = open_store(lambda uri: refuse_unknown(names, uri=uri, storage=search_at(given, uri)), delivers=False)
    storage = search_at(given, uri)

    from rothamsted.inventory.care.doctor import look_over

    def look() -> LookedOver:
        return look_over(names, uri=uri, storage=storage, home=places.home(uri), deletes_folders=deletes)

    findings = look()
    _show(findings.damages, screen)
    for line in findings.notes:
        screen.say(f"note: {line}")
    n_mendable = sum(bool(one.changes) for one in findings.damages)
    mended, left = 0, list[str]()
    if n_mendable and not mends:
        screen.say(f"rothamsted doctor --repair repairs {n_mendable} of them")
    elif n_mendable and not (is_sure or is_agreed(screen, f"Repair {n_mendable} of them?", command="doctor")):
        screen.say("nothing is repaired")
    elif n_mendable:
        from rothamsted.inventory.care.repair import repair_all

        done = repair_all(findings, look, uri=uri, storage=storage)
        mended, left = done.n_done, list(done.left)
        screen.say(f"{mended} repaired", *(f"left: {line}" for line in left))
        if unfinished := done.unfinished:
            screen.say(f"not finished: {', '.join(unfinished)}; the command that started a sweep goes on with it")
        _show(done.after.damages, screen)
    if not findings.damages:
        screen.say(f"{plain_count(len(findings.units), 'sweep')} (stages and contests count): nothing is wrong")
    screen.give(
        {
            "findings": [one.plain for one in findings.damages],
            "notes": list(findings.notes),
            "looked_over": [unit.name for unit in findings.units],
            "mended": mended,
            "left": left,
        }
    )
    return 0 if mended == len(findings.damages) and not left else LEFT


def prune(arguments: Sequence[str]) -> int:
    """Remove checkpoints and left-over files that nothing needs, after saying what.

    Exit status 0: removed, or there is nothing; 3: something is there, and stays.
    """
    found, screen = pairs(arguments, command="prune"), screen_of(arguments, command="prune")
    names = take_many(found, "sweep")
    is_dry, is_sure = take_truth(found, "dry_run", "prune"), take_truth(found, "yes", "prune")
    given = take(found, "storage")
    uri = open_store(lambda uri: refuse_unknown(names, uri=uri, storage=search_at(given, uri)), delivers=False)
    storage = search_at(given, uri)

    from rothamsted.inventory.belongings import size_words
    from rothamsted.inventory.care.needed import leftovers, remove

    every = leftovers(names, uri=uri, storage=storage, home=places.home(uri))
    lines = [f"{one.what}: {one.path or plain_count(len(one.files), 'file')}" for one in every.found]
    sizes = [f" ({size_words(one.n_bytes)})" if one.path is not None else "" for one in every.found]
    for line, size in zip(lines, sizes, strict=True):
        screen.show(line + size)
    for line in every.notes:
        screen.say(f"note: {line}")
    n_bytes = sum(one.n_bytes for one in every.found)
    screen.say(f"{len(every.found)} in all, {size_words(n_bytes)}" if every.found else "there is nothing to remove")
    removes = bool(every.found) and not is_dry
    if removes and not is_sure:
        removes = is_agreed(screen, "Remove all of this? It cannot be undone.", command="prune")
    for one in every.found if removes else ():
        remove(one, uri=uri)
    if every.found:
        screen.say("removed" if removes else "nothing is removed")
    screen.give({"found": lines, "bytes": n_bytes, "notes": list(every.notes), "removed": removes})
    return 0 if removes or is_dry or not every.found else NOT_DONE


def _show(damages: Sequence[Damage], screen: Screen) -> None:
    """A row for each kind of damage of a sweep: how many, the first few, what a repair does."""
    from rich.markup import escape
    from rich.table import Table

    from rothamsted.inventory.care.damage import KINDS
    from rothamsted.printable import printable

    if not damages or screen.is_json or screen.is_quiet:
        return
    groups: dict[tuple[str, str, str], list[Damage]] = {}
    for one in damages:
        groups.setdefault((one.sweep, one.kind, one.repair or one.way_out), []).append(one)
    console = screen.console
    table = Table(box=None if not console.is_terminal else Table().box, pad_edge=False)
    for header in ("sweep", "what", "n", "which", "repair"):
        table.add_column(header, overflow="fold")
    for (sweep, kind, what_next), some in groups.items():
        which = [f"{one.what}: {one.why}" if one.why else one.what for one in some[:MOST_SHOWN]]
        which += [f"and {len(some) - MOST_SHOWN} more"] if len(some) > MOST_SHOWN else []
        how = what_next if some[0].repair else f"none: {what_next}"
        cells = (sweep or "(no sweep)", KINDS[kind], str(len(some)), "\n".join(which), how)
        table.add_row(*(escape(printable(cell)) for cell in cells))
    console.print(table)
