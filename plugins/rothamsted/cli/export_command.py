"""Run the command export, which writes a sweep, or other runs, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rothamsted.cli.arguments import pairs, take, take_many
from rothamsted.cli.screen import screen_of
from rothamsted.cli.settings import open_named, take_dataset, take_over, take_settings, with_over
from rothamsted.given_files import check_folder_to_make
from rothamsted.places import command_folder
from rothamsted.publish.exported.parts import check_parts

FOLDER = "export"  # each sweep has one of its own in it


def export(arguments: Sequence[str]) -> int:
    """Write tables, JSON, a copy of the search, a paper's parts and figures of sweeps, or of any runs, into folders."""
    found, screen = pairs(arguments, command="export"), screen_of(arguments, command="export")
    given, names_file, only = take(found, "folder"), take(found, "names"), take_many(found, "only")
    check_parts(only, "rothamsted export")
    if given is not None:
        check_folder_to_make(command_folder() / given, place=f"folder={given}", way_out="name another folder")
    sweeps = take_many(found, "sweep")
    asked, over = take_settings(found, "export"), take_over(found, "export")
    named = [{**found, "sweep": sweep} for sweep in sweeps] or [found]
    uris = [open_named(one) for one in named]

    from rothamsted.analysis.analyze import analyze, settings_of
    from rothamsted.publish.export import Names, read_names
    from rothamsted.publish.exported.folder import check_folder, line_of, write_folder
    from rothamsted.publish.folder_names import folder_names

    names = Names() if names_file is None else read_names(Path(names_file))
    analyses = []
    for one, uri in zip(named, uris, strict=True):
        dataset = take_dataset(one, "export", uri=uri)
        settings = replace(settings_of(dataset.statistics), **asked)
        analyses.append(analyze(with_over(dataset, over, settings, "export"), settings))
    own = folder_names([analysis.dataset.name for analysis in analyses])
    above = command_folder() / (given or FOLDER)
    is_above = given is None or len(analyses) > 1
    folders = [above / own[one.dataset.name] if is_above else above for one in analyses]
    for analysis, folder in zip(analyses, folders, strict=True):
        check_folder(analysis, folder)
    for analysis, folder, uri in zip(analyses, folders, uris, strict=True):
        written = write_folder(analysis, folder, uri=uri, names=names, only=only)
        screen.say(*map(line_of, written))
        files = [str(one.path) for one in written if one.path is not None]
        left_out = [{"part": one.part, "why": one.text} for one in written if one.path is None]
        screen.give({"sweep": analysis.dataset.name, "folder": str(folder), "files": files, "left_out": left_out})
    return 0
