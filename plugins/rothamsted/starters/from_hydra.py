"""Translate a Hydra config with a sweeper (the basic one, or Optuna's) into a sweep file of ours.

Grammar: https://hydra.cc/docs/advanced/override_grammar/extended/ and https://hydra.cc/docs/plugins/optuna_sweeper/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rothamsted.caps import MOST_OBJECTIVES
from rothamsted.errors import DataError
from rothamsted.given_files import read_given
from rothamsted.space import SpaceError, domain_to_plain
from rothamsted.space.hydra import domain_from_hydra
from rothamsted.spec.document import Document, parse_document
from rothamsted.starters.starter import SAMPLERS, StarterSweep, name_from
from rothamsted.yaml_text import read_text

_OPTUNA = ("sampler", "direction", "n_trials", "n_jobs", "study_name", "storage")
_IGNORED = ("_target_", "max_batch_size")  # which sweeper it is, and how many it starts at once


def from_hydra(path: str, *, here: Path) -> StarterSweep:
    """Make the starter that a Hydra config becomes.

    Args:
        path: the config, with `hydra.sweeper`, or the sweeper's own file with `params` at its top.
        here: where the program with `@hydra.main` is looked for.

    Raises:
        SpecError: the file is missing or no YAML mapping.
    """
    document = parse_document(read_text(path, path, way_out="give the file to translate"), path)
    hydra = document.data.get("hydra")
    sweeper = hydra.get("sweeper") if isinstance(hydra, Mapping) else None
    at: tuple[str, ...] = ("hydra", "sweeper") if isinstance(sweeper, Mapping) else ()
    values = sweeper if isinstance(sweeper, Mapping) else document.data
    left: list[str] = []
    guessed = ["replicates: 3; Hydra trains each condition once. The config must have a seed"]
    space = _space(document, at, values, left)
    is_optuna = any(key in values for key in _OPTUNA) or "optuna" in str(values.get("_target_", ""))
    _leave_others(document, at, values, left)
    document_of_ours = {
        "name": name_from(str(values.get("study_name") or Path(path).stem)),
        "command": _command(path, here, left),
        "seed_parameter": "seed",
        "space": space,
        "objective": _objective(document, at, values, guessed),
        **_sampler(document, at, values, left, guessed, is_optuna=is_optuna),
        "execution": {"workers": values["n_jobs"]} if isinstance(values.get("n_jobs"), int) else None,
        "replicates": 3,
    }
    return StarterSweep(
        comment=[f"From the Hydra sweeper of {path}"],
        document={key: value for key, value in document_of_ours.items() if value not in (None, {})},
        left=left,
        guessed=guessed,
    )


def _space(document: Document, at: tuple[str, ...], values: Mapping[str, Any], left: list[str]) -> dict[str, Any]:
    """The domains of `params`; a mapping of the same grammar, or, in old files, `search_space`."""
    space: dict[str, Any] = {}
    params, before = values.get("params") or {}, values.get("search_space") or {}
    for key, given in (("params", params), ("search_space", before)):
        if not isinstance(given, Mapping):
            raise document.error((*at, key), f"must be a mapping of parameters, not {given!r}")
    for name, raw in params.items():
        text = str(raw) if not isinstance(raw, list) else ",".join(map(str, raw))
        try:
            _, domain = domain_from_hydra(f"{name}={text}")
        except SpaceError as error:
            left.append(str(document.error((*at, "params", name), f"{error.reason}; give {name} a domain in space")))
        else:
            space[name] = domain_to_plain(domain)
    for name in before:
        path = (*at, "search_space", name)
        left.append(str(document.error(path, f"is the form before Hydra 1.2; give {name} a domain in space")))
    return space


def _leave_others(document: Document, at: tuple[str, ...], values: Mapping[str, Any], left: list[str]) -> None:
    known = ("params", "search_space", *_OPTUNA, *_IGNORED)
    for key in values if at else ():
        if key not in known:
            left.append(str(document.error((*at, key), "has no counterpart")))
    if values.get("storage") is not None:
        left.append(
            str(document.error((*at, "storage"), "holds trials of Hydra's; the sweep begins a search of its own"))
        )


def _objective(document: Document, at: tuple[str, ...], values: Mapping[str, Any], guessed: list[str]) -> Any:
    guessed.append(
        'objective.metric: value; Hydra takes what the function returns: print it as {"value": …}, or log it'
    )
    directions = values.get("direction", "minimize")
    several = directions if isinstance(directions, list) else [directions]
    if len(several) > MOST_OBJECTIVES:
        reason = f"{len(several)} objectives, and at most {MOST_OBJECTIVES} are allowed; give fewer"
        raise document.error((*at, "direction"), reason)
    names = ["value"] if len(several) == 1 else [f"value_{n}" for n in range(len(several))]
    found = [{"metric": name, "direction": direction} for name, direction in zip(names, several, strict=True)]
    return found[0] if len(found) == 1 else found


def _sampler(
    document: Document,
    at: tuple[str, ...],
    values: Mapping[str, Any],
    left: list[str],
    guessed: list[str],
    *,
    is_optuna: bool,
) -> dict[str, Any]:
    """The basic sweeper takes every combination; Optuna's has TPE by default."""
    if not is_optuna:
        return {"sampler": "grid"}
    sampler = values.get("sampler") or {}
    target = str(sampler.get("_target_", "")).rpartition(".")[2] if isinstance(sampler, Mapping) else ""
    name = SAMPLERS.get(target or "TPESampler")
    if name is None:
        left.append(str(document.error((*at, "sampler"), f"{target} has no counterpart; sampler tpe is used instead")))
    seed = sampler.get("seed") if isinstance(sampler, Mapping) else None
    found: dict[str, Any] = {"sampler": {"name": name or "tpe", **({"seed": seed} if isinstance(seed, int) else {})}}
    for key in sampler if isinstance(sampler, Mapping) else ():
        if key not in ("_target_", "seed"):
            left.append(str(document.error((*at, "sampler", key), "has no counterpart")))
    if name != "grid":
        found["trials"] = values.get("n_trials", 20)
        if "n_trials" not in values:
            guessed.append("trials: 20, Hydra's default")
    return found


def _program(file: Path) -> str:
    try:
        return read_given(file, way_out="correct it").decode("utf-8", errors="replace")
    except DataError:  # what cannot be read is no program
        return ""


def _command(path: str, here: Path, left: list[str]) -> str | None:
    """The one program here that Hydra runs."""
    programs = [
        file
        for file in sorted([*here.glob("*.py"), *here.glob("*/*.py")])
        if re.search(r"@hydra\.main\b", _program(file))
    ]
    if len(programs) != 1:
        found = ", ".join(str(one.relative_to(here)) for one in programs) or "none"
        left.append(
            f"{path}: which program? with @hydra.main there are: {found}; give command: python PROGRAM {{overrides}}"
        )
        return None
    return f"python {programs[0].relative_to(here)} {{overrides}}"
