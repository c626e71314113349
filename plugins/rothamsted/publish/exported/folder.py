"""Export a sweep, or other runs, to one folder: tables, JSON, a copy of the search, a paper's parts, figures.

`export.json` in the folder names the sweep and lists the files. A folder with another export is refused, so that files
of two exports are not mixed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted import places, tags
from rothamsted.analysis.curves import all_series
from rothamsted.analysis.kept_configs import kept_configs
from rothamsted.analysis.sweep_runs import read_sweep_runs
from rothamsted.analysis.values import Analysis, Dataset, Series
from rothamsted.errors import DataError, StoreError, UserError
from rothamsted.given_files import read_given_text
from rothamsted.publish.export import NO_CURVES, Names, write_export
from rothamsted.publish.exported.paper import write_paper
from rothamsted.publish.exported.parts import PARTS, check_parts, check_results
from rothamsted.publish.exported.tidy import write_tables
from rothamsted.publish.figures import write_figures
from rothamsted.publish.named_plots import write_named_plots
from rothamsted.spec.field_values import CONFIRM_SUFFIX

MANIFEST = "export.json"
STUDY = "optuna.db"
FIGURES = "figures"


@dataclass(frozen=True, kw_only=True)
class Written:
    """Names a part of an export: a file of it, or the reason why there is none.

    Attributes:
        part: of PARTS.
        path: of the file; None: there is none.
        text: what it is; of a missing one what, and why.
    """

    part: str
    path: Path | None
    text: str


def write_folder(
    analysis: Analysis, folder: Path, *, uri: str = "", names: Names | None = None, only: Sequence[str] = ()
) -> list[Written]:
    """Write an analysis into a folder, which is made where missing.

    Args:
        analysis: What was computed.
        folder: Where to.
        uri: Tracking URI; empty: the runs are in no store, so that there are neither curves nor a search.
        names: What the part `results` calls things, and the plots that it has; None: as they are called.
        only: Of PARTS; none: all.

    Returns:
        What was written, in the order of PARTS.

    Raises:
        UserError: A part that there is none of, a folder with another export, or one that cannot be written.
        StoreError: A store does not answer.
    """
    check_parts(only)
    check_folder(analysis, folder)
    wanted, curves = [part for part in PARTS if part in (only or PARTS)], NO_CURVES
    if uri and {"results", "tables"} & set(wanted):
        curves = all_series(analysis.dataset.cells or analysis.dataset, uri=uri)
    writers: Mapping[str, Callable[[], Iterator[Written]]] = {
        "results": lambda: _results(analysis, folder, names or Names(), curves, uri),
        "tables": lambda: _tables(analysis, folder, curves),
        "study": lambda: _study(analysis, folder, uri),
        "paper": lambda: _paper(analysis, folder, uri),
        "figures": lambda: _figures(analysis, folder),
    }
    written: list[Written] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = _earlier(folder / MANIFEST, wanted)
        _write_manifest(analysis, folder, earlier)  # first: a folder that is left half written says whose it is
        for part in wanted:
            written += writers[part]()
        _write_manifest(analysis, folder, [*earlier, *(_entry(one, folder) for one in written)])
    except OSError as error:
        raise StoreError(
            f"export {folder}: cannot be written: {error.strerror or error}; give another folder"
        ) from error
    return written


def check_folder(analysis: Analysis, folder: Path) -> None:
    """Refuse an export without results, and a folder that holds another export or is not a folder.

    Raises:
        UserError: says in one line what is wrong.
    """
    check_results(analysis.dataset)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"export {folder}: is a file, and must be a folder; give another")
    held = _held(folder / MANIFEST)
    if held is not None and {name: held.get(name) for name in _whose(analysis)} != _whose(analysis):
        raise UserError(
            f"export {folder}: holds the export of {held.get('name') or 'something else'}, whose files would be mixed "
            "with these; give another folder"
        )


def _results(
    analysis: Analysis, folder: Path, names: Names, curves: Mapping[str, Mapping[str, Series]], uri: str
) -> Iterator[Written]:
    configs = kept_configs(analysis.dataset, uri=uri) if uri else {}
    path = write_export(analysis, folder, names, curves, configs)
    yield Written(part="results", path=path, text="every condition and replicate as JSON")
    for one in write_named_plots(analysis, folder, names) if names.plots else ():
        yield Written(part="results", path=next(iter(one.paths), None), text=f"plot {one.plot}: {one.text}")


def _tables(analysis: Analysis, folder: Path, curves: Mapping[str, Mapping[str, Series]]) -> Iterator[Written]:
    for path in write_tables(analysis, folder, curves):
        yield Written(part="tables", path=path, text=f"table {path.stem}")


def _study(analysis: Analysis, folder: Path, uri: str) -> Iterator[Written]:
    dataset = analysis.dataset
    if dataset.kind != "sweep" or not uri:
        yield Written(part="study", path=None, text="study: these runs have no search in Optuna")
        return
    from rothamsted.search import copy_studies

    path = folder / STUDY
    try:
        storage = _storage_of(dataset, uri)
        found = copy_studies(storage, [dataset.name, dataset.name + CONFIRM_SUFFIX], path)
    except StoreError as error:  # the runs are on record, wherever the search is
        yield Written(part="study", path=None, text=f"study: its search cannot be copied: {error}")
        return
    told = ", ".join(f"{name} ({n} trials)" for name, n in found.items())
    yield Written(part="study", path=path, text=f"Optuna studies: {told}")


def _storage_of(dataset: Dataset, uri: str) -> str:
    """Where the search of a sweep is: as it is recorded, or, of a folder that was moved, beside the tracking store.

    Raises:
        StoreError: in neither place.
    """
    from rothamsted.search import find_search

    recorded = read_sweep_runs(dataset.run_id, uri=uri).sweep.storage
    beside = places.absolute_storage(places.STORAGE, places.home(uri))
    for storage in dict.fromkeys((recorded, beside)):
        with suppress(StoreError):
            found = find_search(storage, dataset.name)
            if found is not None and found.attributes.get(tags.RUN_ID) == dataset.run_id:
                return storage
    raise StoreError(f"storage {recorded}: has no search of run {dataset.run_id}, nor has {beside}")


def _paper(analysis: Analysis, folder: Path, uri: str) -> Iterator[Written]:
    for path, text in write_paper(analysis, folder, uri=uri):
        yield Written(part="paper", path=path, text=text)


def _figures(analysis: Analysis, folder: Path) -> Iterator[Written]:
    from rothamsted.reporting.plots import PlotOptions

    own = folder / FIGURES
    found = write_figures(analysis, own, plots=(), formats=("pdf",), where={}, options=PlotOptions())
    captions = []
    for one in found:
        yield Written(part="figures", path=next(iter(one.paths), None), text=f"figure {one.plot}: {one.text}")
        captions += [f"{path.name}: {one.text}" for path in one.paths]
    captions_path = own / "captions.txt"
    captions_path.write_text("\n\n".join(captions) + "\n", encoding="utf-8")
    yield Written(part="figures", path=captions_path, text="captions of the figures")


def _whose(analysis: Analysis) -> dict[str, str]:
    return {"name": analysis.dataset.name, "run_id": analysis.dataset.run_id}


def _held(manifest: Path) -> dict[str, Any] | None:
    """What the file of an export says; None: there is none; empty: it is somebody else's."""
    try:
        found = json.loads(read_given_text(manifest, way_out="give another folder"))
    except DataError:
        return {} if manifest.exists() else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _earlier(manifest: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    """The entries of parts that lie there already and are not written now."""
    entries = (_held(manifest) or {}).get("parts", [])
    return [one for one in entries if isinstance(one, dict) and one.get("part") not in wanted]


def _entry(one: Written, folder: Path) -> dict[str, str]:
    if one.path is None:
        return {"part": one.part, "left_out": one.text}
    return {"part": one.part, "path": one.path.relative_to(folder).as_posix(), "text": one.text}


def _write_manifest(analysis: Analysis, folder: Path, entries: Sequence[Mapping[str, str]]) -> None:
    dataset = analysis.dataset
    how = {"is_complete": dataset.is_complete, "level": analysis.level, "interval": analysis.interval}
    kept = {**_whose(analysis), **how, "parts": entries}
    (folder / MANIFEST).write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def line_of(one: Written) -> str:
    """Return the printed line of a part: where it is, or why it is missing."""
    return f"no {one.text}" if one.path is None else f"{one.part}: {one.path}"
