"""Write reports of several sweeps: a page for each, and an index page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted.cli.arguments import each_alone, pairs, read_line, take, take_many, take_truth
from rothamsted.cli.screen import screen_of
from rothamsted.cli.store import open_store, search_at
from rothamsted.cli.usage import COMMON
from rothamsted.errors import UserError
from rothamsted.places import REPORTS, output_folder
from rothamsted.wording import plain_count

if TYPE_CHECKING:
    from rothamsted.reporting.page.index_page import IndexRow

INDEX, OTHER_INDEX = "index", "index-of-sweeps"  # the second where a sweep is called index


def lines_of(arguments: Sequence[str]) -> list[list[str]]:
    """Return the arguments of each report if several sweeps are named or `--all` is given; else none.

    With `format=` figures are written, which have no pages and no index: none, too, but for `--all`.

    Raises:
        UserError: `--all` beside a name, or there is no sweep that has begun.
    """
    line = read_line(arguments, command="report")
    keys = dict(line.keys)
    if "," in keys.get("sweep", ""):  # as `mlflow run` names several: -P sweep=a,b
        names = take_many(keys, "sweep")
        return lines_of([*names, *_options(keys, line.common)])
    if not take_truth(keys, "all", "report"):
        return [] if len(line.words) < 2 or keys.get("format") else each_alone(arguments, command="report")
    named = next(iter([*line.words, *(keys[key] for key in ("sweep", "experiment") if keys.get(key))]), None)
    if named is not None:
        raise UserError(f"rothamsted report: {named} cannot be given with --all; give one of the two")
    if keys.get("format"):
        raise UserError("rothamsted report: --all writes pages, not figures; name the sweeps that you want figures of")
    from rothamsted.inventory.sweeps import list_sweeps

    uri = open_store()
    sweeps = [one for one in list_sweeps(uri=uri, storage=search_at(None, uri)) if one.run_id and one.n_done != 0]
    if not sweeps:
        raise UserError(
            f"rothamsted report: no sweep in {uri} has a condition that ended; rothamsted list shows the sweeps"
        )
    return [[f"--sweep={one.run_id}", *_options(keys, line.common)] for one in sweeps]


def _options(keys: Mapping[str, str], common: Collection[str]) -> list[str]:
    return [f"--{key}={value}" for key, value in keys.items()] + [COMMON[name][0][-1] for name in common]


def report_all(
    lines: Sequence[Sequence[str]],
    *,
    guarded: Callable[[Callable[[], int]], int],
    worst: Callable[[Sequence[int]], int],
) -> int:
    """Write the reports and their index into a folder; returns the worst exit status.

    Args:
        lines: the arguments of each.
        guarded: runs one and makes a mistake a line and a status.
        worst: of several statuses.
    """
    from rothamsted import __version__
    from rothamsted.cli.analysis_commands import write_analysis
    from rothamsted.publish.pages import copy_page, now_text
    from rothamsted.reporting.page.index_page import index_row, render_index

    rows: list[IndexRow] = []
    screen = screen_of(lines[0], command="report")
    given = take(pairs(lines[0], command="report"), "folder")
    folder = output_folder(given, usual=REPORTS, tracking_uri=open_store())

    def one(line: Sequence[str]) -> int:
        analysis, page = write_analysis("report", {**_keys(line), "folder": str(folder.absolute())}, screen)
        rows.append(index_row(analysis, Path(page or "").name))
        screen.say("")
        return 0

    statuses = [guarded(lambda line=line: one(line)) for line in lines]
    if rows:
        html = render_index(rows, generated_at=now_text(), version=__version__)
        is_taken = any(row.page == f"{INDEX}.html" for row in rows)
        index = copy_page(html, folder, OTHER_INDEX if is_taken else INDEX)
        screen.say(f"index of {plain_count(len(rows), 'report')}: {index}")
    return worst(statuses)


def _keys(line: Sequence[str]) -> dict[str, str]:
    found = pairs(line, command="report")
    found.pop("all", None)
    return found
