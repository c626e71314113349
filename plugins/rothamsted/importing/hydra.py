"""Read Hydra's runs: each folder with `.hydra/config.yaml`, in `multirun/DATE/TIME/N` and `outputs/DATE/TIME`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rothamsted.errors import DataError, SpecError
from rothamsted.given_files import reading
from rothamsted.importing.flat import flat_texts
from rothamsted.importing.folders import WAY_OUT, FolderFiles, changed_ms, read_config, small_files, walk
from rothamsted.importing.results import results_in
from rothamsted.importing.times import zone_of
from rothamsted.importing.values import ImportedRun
from rothamsted.records import RunStatus
from rothamsted.yaml_text import load, read_text

_OF_HYDRA = ".hydra"


def matches(address: str) -> bool:
    """Say whether a folder below was made by Hydra."""
    path = Path(address)
    return path.is_dir() and any(_is_job(folder) for folder in walk(path))


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the jobs below a folder in the order of their paths."""
    root, zone = Path(address), zone_of(options.get("time_zone"))
    job: list[FolderFiles] = []
    for folder in walk(root):
        if job and not folder.path.is_relative_to(job[0].path):
            yield _run(job, root, options, zone)
            job = []
        if not job and _is_job(folder):
            job = [folder]
        elif job and folder.path.parent.name != _OF_HYDRA and folder.path.name != _OF_HYDRA:
            job.append(folder)
    if job:
        yield _run(job, root, options, zone)


def _is_job(folder: FolderFiles) -> bool:
    return _OF_HYDRA in folder.folders and (folder.path / _OF_HYDRA / "config.yaml").is_file()


def _run(job: Sequence[FolderFiles], root: Path, options: Mapping[str, str], zone: Any) -> ImportedRun:
    folder, notes = job[0].path, list[str]()
    of_hydra = folder / _OF_HYDRA
    params = flat_texts(read_config(of_hydra / "config.yaml", notes, what="config.yaml"), notes)
    about = read_config(of_hydra / "hydra.yaml", notes, what="hydra.yaml").get("hydra")
    runtime = about.get("runtime") if isinstance(about, dict) else None
    runtime = runtime if isinstance(runtime, dict) else {}
    overrides = _overrides(of_hydra / "overrides.yaml", notes)
    params |= _choices(runtime, overrides, params)
    found = results_in(job, notes, zone=zone, step_by=options.get("step_by"))
    start = changed_ms(of_hydra / "config.yaml")
    if not found.paths:
        notes.append("its folder holds no measurements: taken as FAILED")
    inside = os.path.relpath(folder, root)
    made_in = str(runtime.get("output_dir") or folder.resolve())
    return ImportedRun(
        source_id=f"hydra:{made_in}",
        name=folder.name if inside == "." else inside,
        params=params,
        points=found.points,
        summary=found.summary,
        tags={"hydra.overrides": " ".join(overrides)} if overrides else {},
        start_ms=start,
        end_ms=max(start, found.end_ms) or None,
        state=RunStatus.FINISHED if found.paths else RunStatus.FAILED,
        files=small_files(of_hydra, ("config.yaml", "overrides.yaml", "hydra.yaml")),
        notes=notes,
        revision=str(found.size),
    )


def _overrides(path: Path, notes: list[str]) -> list[str]:
    """What the command line changed, such as `lr=0.1`."""
    if not path.is_file():
        return []
    try:
        with reading(path, way_out=WAY_OUT):
            found = load(read_text(path, str(path), way_out=WAY_OUT))
    except (DataError, SpecError, yaml.YAMLError) as error:
        notes.append(f"overrides.yaml is left out: {error}")
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


def _choices(runtime: Mapping[str, Any], overrides: Sequence[str], params: Mapping[str, str]) -> dict[str, str]:
    """Config groups that the command line chose: model=wide, where no parameter is called model."""
    given = {text.lstrip("+").partition("=")[0]: text.partition("=")[2] for text in overrides if "=" in text}
    choices = runtime.get("choices")
    groups = choices if isinstance(choices, dict) else {}
    return {name: text for name, text in given.items() if name in groups and name not in params}
