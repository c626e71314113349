"""Check that a sweep and its command agree: every parameter and the seed must reach the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rothamsted.space import Choice
from rothamsted.space.values import shortened
from rothamsted.spec.command import SEED, SPECIAL, Command, CommandError, nested, read_command
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import Sweep
from rothamsted.suggest import known_names

PATH = ("command",)


def check_placeholders(document: Document) -> None:
    """Check that a command's placeholders are parameters of its file, before anything else is checked.

    Raises:
        SpecError: a placeholder is unknown; the message has the nearest.
    """
    data = document.data
    if not isinstance(data.get("command"), str):
        return
    stages = [stage for stage in data.get("stages") or [] if isinstance(stage, Mapping)]
    replicates = data.get("replicates")
    vary = (replicates.get("vary") if isinstance(replicates, Mapping) else None) or ()
    groups = [data.get("space"), data.get("parameters"), *(stage.get("parameters") for stage in stages)]
    given = {name for group in groups if isinstance(group, Mapping) for name in group} | {*vary, SEED}
    for name in sorted(read_command(data["command"]).names - given - {data.get("seed_parameter")}):
        known = known_names(name, [*sorted(given), *SPECIAL])
        raise document.error(PATH, f"{{{name}}} is neither a parameter of this sweep nor a placeholder; {known}")


def check_command(sweep: Sweep, document: Document) -> None:
    """Check a command's placeholders against the parameters of its sweep, if there is a command.

    Raises:
        SpecError: several replicates have no seed, or a flag is neither true nor false.
    """
    if sweep.command is None:
        return
    command = read_command(sweep.command)
    if sweep.seed_parameter is None and (why := _several(sweep)):
        reason = f"passes no seed, and {why}; write --seed {{seed}} or {{parameters}} in it, or give replicates: 1"
        raise document.error(PATH, reason)
    _check_forms(sweep, command, document)
    if command.has_config:
        try:
            nested(dict.fromkeys(sorted({*sweep.space, *(name for _, name, _ in _fixed(sweep)), *sweep.varied})))
        except CommandError as error:
            raise document.error(PATH, str(error)) from None


def _several(sweep: Sweep) -> str:
    """Why one condition is trained more than once; empty where none is."""
    if sweep.replicates.racing is not None:
        return "a race takes several replicates of a condition"
    if sweep.confirm is not None:
        return "a confirmation trains the winner again"
    n = max(len(sweep.stage_seeds(stage)) for stage in range(max(len(sweep.stages), 1)))
    return f"there are {n} replicates of a condition, which would be copies" if n > 1 else ""


def _check_forms(sweep: Sweep, command: Command, document: Document) -> None:
    fixed = list(_fixed(sweep))
    for name, form in command.placeholders:
        domain = sweep.space.get(name)
        if form:
            values: list[tuple[KeyPath, Any]] = [(path, value) for path, other, value in fixed if other == name]
            values += [(("space", name), value) for value in (domain.values if isinstance(domain, Choice) else ())]
            values += [(("space", name), "a range")] if domain is not None and not isinstance(domain, Choice) else []
            for path, value in values:
                if not isinstance(value, bool):
                    reason = (
                        f"{{{name}:{form}}} of the command needs true or false, not {shortened(value)}; write --{name}"
                    )
                    raise document.error(path, f"{reason} {{{name}}} there")
        elif domain is not None and domain.when and name not in sweep.parameters:
            reason = f"has no value where its when does not hold, and the command needs one for {{{name}}}"
            raise document.error(("space", name), f"{reason}; write {{parameters}} there, which leaves it out")


def _fixed(sweep: Sweep) -> Iterator[tuple[KeyPath, str, Any]]:
    """The fixed parameters, those of the stages too, each with its place."""
    for name, value in sweep.parameters.items():
        yield ("parameters", name), name, value
    for n, stage in enumerate(sweep.stages):
        for name, value in stage.parameters.items():
            yield ("stages", n, "parameters", name), name, value
