"""Check both databases and the artifacts of all or some sweeps, and say what is damaged and how to repair it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rothamsted import tags, tracking
from rothamsted.errors import UserError, raised
from rothamsted.holders import is_alive
from rothamsted.inventory.care.checks import check_alone, check_ties
from rothamsted.inventory.care.curves import check_curves, curves_wanted
from rothamsted.inventory.care.damage import KINDS, Damage, DeletedSearch, PointChange
from rothamsted.inventory.care.files import check_files, check_folders, check_states, check_undelivered
from rothamsted.inventory.care.left_running import check_leases, check_running
from rothamsted.inventory.care.results import check_results, ended_runs, written_anew
from rothamsted.inventory.care.units import Unit, units_of
from rothamsted.inventory.names import no_such_sweep
from rothamsted.search.care import SearchFacts, read_facts
from rothamsted.tracking.care import RecordFacts, doubled_points, read_record, stale_latest


@dataclass(frozen=True, kw_only=True)
class LookedOver:
    """Holds the result of a check.

    Attributes:
        damages: in the order of `KINDS`, then of the sweeps.
        units: the sweeps, stages and contests that were looked over.
        notes: what was not checked, and why, a line each.
    """

    damages: Sequence[Damage]
    units: Sequence[Unit]
    notes: Sequence[str]


def look_over(
    names: Collection[str], *, uri: str, storage: str, home: Path, deletes_folders: bool = False
) -> LookedOver:
    """Check sweeps, stages and contests. Without names all are checked, and files of none.

    Args:
        names: of sweeps, stages or contests, or ids of their runs.
        uri: tracking URI.
        storage: database URL of the search.
        home: below which files wait for a server.
        deletes_folders: whether a repair deletes folders of artifacts of no run.

    Raises:
        StoreError: a database cannot be read, or a name is not there.
    """
    search, record = read_facts(storage), read_record(uri)
    every = units_of(search, record, is_alive=is_alive)
    chosen = chosen_of(every, names, uri=uri, storage=storage)
    notes: list[str] = []
    found: list[Damage] = []
    for unit in chosen:
        if unit.holder:
            notes.append(f"{unit.name}: not checked, because {unit.holder} works on it")
            continue
        try:
            found += _of_unit(unit, search, record, notes, uri=uri, storage=storage)
            found += check_states(unit, every, home)
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # somebody else wrote it, or damaged it
            found.append(
                Damage(
                    kind="unreadable search",
                    sweep=unit.name,
                    what="an attribute of its search or of a trial",
                    why=raised(error),
                    way_out="put back a copy of the search database, or delete the sweep",
                )
            )
    unreadable = {one.sweep for one in found if one.kind == "unreadable search"}
    idle = [unit for unit in chosen if not unit.holder and unit.name not in unreadable]
    found += _curves(idle, record, uri=uri)
    if record.is_sql:
        found += _points(idle, uri=uri)
    else:
        notes.append(
            "of a tracking server only the runs are checked, not curves, doubled points, latest values, models and "
            "folders of no run; to check these, too, give the command on the server's machine, with its own database"
        )
    if not names:
        found += [
            *_confirmations(search),
            *check_folders(record, deletes=deletes_folders),
            *check_undelivered(home, uri=uri),
        ]
    order = list(KINDS)
    return LookedOver(damages=sorted(found, key=lambda one: order.index(one.kind)), units=chosen, notes=notes)


def damages_of(unit: Unit, search: SearchFacts, record: RecordFacts) -> list[Damage]:
    """Return the damages of a sweep on which no process works, from both databases only."""
    told = ended_runs(unit)
    return [
        *check_ties(unit, record),
        *check_leases(unit, search.now, is_alive=is_alive),
        *check_running(unit, told),
        *check_results(unit, record),
    ]


def _of_unit(
    unit: Unit, search: SearchFacts, record: RecordFacts, notes: list[str], *, uri: str, storage: str
) -> Iterator[Damage]:
    if unit.search is not None:
        if unit.sweep is None:
            notes.append(f"{unit.name}: recorded by another version; values of its trials are not checked")
        yield from damages_of(unit, search, record)
    elif unit.run is not None:
        recorded = _recorded_storage(unit.run.run_id, uri)
        found = list(check_alone(unit, recorded, storage))
        if not found:
            notes.append(f"{unit.name}: its search is in {recorded}, which is not checked; give storage= to check it")
        yield from found
    yield from check_files(unit, record, uri=uri)


def _recorded_storage(run_id: str, uri: str) -> str:
    """Where the file of a sweep says that its search is; empty: not known."""
    for folder in ("sweep", "contest"):
        try:
            text = tracking.read_text(run_id, f"{folder}/resolved.json", uri=uri)
            said = json.loads(text) if text else {}
        except (UserError, ValueError):
            return ""
        if isinstance(said, Mapping) and isinstance(said.get("storage"), str):
            return said["storage"]
    return ""


def _points(units: Sequence[Unit], *, uri: str) -> Iterator[Damage]:
    """Points that stand twice, and latest values that are none of the last; a stranger may log as it likes."""
    unit_of = {
        run.run_id: unit
        for unit in units
        if unit.sweep is not None and not unit.sweep.is_foreign
        for run in (*unit.runs, *([unit.run] if unit.run is not None else []))
        if not run.is_deleted
    }
    for one in doubled_points(uri, unit_of.keys()):
        yield Damage(
            kind="doubled point",
            sweep=unit_of[one.run_id].name,
            what=f"run {one.run_id}, {one.key} at step {one.step}",
            why="equal values" if one.is_equal else "different values",
            repair="the first stays" if one.is_equal else "",
            way_out="" if one.is_equal else f"rothamsted reproduce {one.run_id} says which is right",
            changes=[PointChange(run_id=one.run_id, key=one.key, point=one)] if one.is_equal else (),
        )
    for run_id, key in stale_latest(uri, unit_of.keys()):
        anew = written_anew(unit_of[run_id], run_id) if key.startswith("objective/") else []
        yield Damage(
            kind="latest value",
            sweep=unit_of[run_id].name,
            what=f"run {run_id}, {key}",
            repair="the sweep's command writes it again" if anew else "it is that of the last point",
            changes=anew or [PointChange(run_id=run_id, key=key)],
        )


def _curves(units: Sequence[Unit], record: RecordFacts, *, uri: str) -> Iterator[Damage]:
    """Numbers of replicates by their curves; through a server, which answers run by run, without them."""
    for unit in units:
        ids, metrics = curves_wanted(unit, record)
        curves = tracking.read_curves(ids, metrics, uri=uri) if ids and record.is_sql else {}
        yield from check_curves(unit, record, curves)


def _confirmations(search: SearchFacts) -> Iterator[Damage]:
    """Confirmations whose sweep's search is gone."""
    names = {one.name for one in search.searches}
    for one in search.searches:
        of = one.attributes.get(tags.CONFIRMATION_OF)
        if of is not None and of not in names:
            yield Damage(
                kind="confirmation without sweep",
                sweep=str(of),
                what=f"Optuna study {one.name}",
                repair="it is deleted",
                changes=[DeletedSearch(study_id=one.study_id)],
            )


def chosen_of(every: Sequence[Unit], names: Collection[str], *, uri: str, storage: str) -> list[Unit]:
    """Return the sweeps that are named, each with its later stages; all if none is named."""
    chosen: list[Unit] = []
    for name in names:
        found = [one for one in every if name in (one.name, one.run_id)]
        if not found:
            raise no_such_sweep(name, [one.name for one in every], uri=uri, storage=storage)
        roots = {one.run_id for one in found}
        chosen += [*found, *(one for one in every if one not in found and _first_id(one) in roots)]
    return list(every) if not names else [one for one in every if one in chosen]


def _first_id(unit: Unit) -> str:
    """The run of the first stage of a later one."""
    if unit.search is not None:
        return str(unit.search.attributes.get(tags.STAGE, {}).get("of_run_id", ""))
    return unit.run.tags.get(tags.STAGE_OF, "") if unit.run is not None else ""
