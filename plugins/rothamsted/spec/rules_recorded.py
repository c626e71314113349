"""Check that MLflow can keep a sweep: the names and values of its parameters, and the names of its metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rothamsted.recordable import MAX_TAG, metric_fault, name_fault, text_fault
from rothamsted.space import Choice
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import Sweep


def check_recorded(sweep: Sweep, document: Document) -> None:
    """Check that MLflow takes every param and metric of the sweep's runs.

    Raises:
        SpecError: names the parameter or the objective, with MLflow's rule.
    """
    for path, name, values in _parameters(sweep):
        if fault := name_fault(name):
            raise document.error(path, f"{name!r} cannot be recorded: {fault}; rename the parameter")
        for part, value in values.items():
            if fault := text_fault(str(value)):
                way = "give the name of a file that holds it"
                raise document.error((*path, *part), f"cannot be recorded: {fault}; {way}")
    _check_tag(sweep, document)
    for path, name in _metrics(sweep):
        if fault := metric_fault(name):
            raise document.error(path, fault)


def _parameters(sweep: Sweep) -> Iterator[tuple[KeyPath, str, Mapping[KeyPath, Any]]]:
    """Where each parameter stands, its name, and the values that the file gives it, by their place below."""
    for name, value in sweep.parameters.items():
        yield ("parameters", name), name, {(): value}
    for number, stage in enumerate(sweep.stages):
        for name, value in stage.parameters.items():
            yield ("stages", number, "parameters", name), name, {(): value}
    for name, domain in sweep.space.items():
        is_list = isinstance(domain, Choice)
        yield ("space", name), name, {(n,): one for n, one in enumerate(domain.values)} if is_list else {}
    for name in sweep.replicates.vary or ():
        yield ("replicates", "vary"), name, {}
    if sweep.seed_parameter is not None:
        yield ("seed_parameter",), sweep.seed_parameter, {}


def _metrics(sweep: Sweep) -> Iterator[tuple[KeyPath, str]]:
    for number, one in enumerate(sweep.objectives):
        place: KeyPath = ("objective", number) if len(sweep.objectives) > 1 else ("objective",)
        yield (*place, "name" if one.expression is not None else "metric"), one.metric
    if sweep.early_stopping is not None and sweep.early_stopping.metric is not None:
        yield ("early_stopping", "metric"), sweep.early_stopping.metric


def _check_tag(sweep: Sweep, document: Document) -> None:
    """A condition is a tag, too, where params can be read in two ways; the longest is asked."""
    choices = {name: domain for name, domain in sweep.space.items() if isinstance(domain, Choice)}
    if not sweep.is_foreign and not any(domain.is_ambiguous for domain in choices.values()):
        return
    longest = {name: max(map(json.dumps, domain.values), key=len) for name, domain in choices.items()}
    n_characters = sum(len(name) + len(text) for name, text in longest.items())
    if n_characters > MAX_TAG - 40 * len(sweep.space):  # a number and the marks between
        reason = f"a condition has up to {n_characters} characters, and MLflow keeps {MAX_TAG} in a tag"
        raise document.error(("space",), f"{reason}; give the names of files that hold the values")
