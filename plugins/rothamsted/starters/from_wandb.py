"""Translate the YAML file of a W&B sweep into a sweep file of ours; what has no counterpart is named line by line.

The form of the file: https://docs.wandb.ai/models/sweeps/sweep-config-keys.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rothamsted.spec.document import Document, KeyPath, parse_document
from rothamsted.starters.starter import StarterSweep, name_from
from rothamsted.yaml_text import read_text

GUESSED_TRIALS = 30
_SAMPLERS = {"grid": "grid", "random": "random", "bayes": "gp"}  # bayes is a Gaussian process there, too
_ARGUMENTS = {
    "${args}": "{parameters}",
    "${args_no_hyphens}": "{overrides}",
    "${args_json_file}": "{config}",
    "${interpreter}": "python",
    "${env}": "",
}
_KNOWN = ("program", "command", "method", "metric", "parameters", "name", "description", "project", "run_cap")
_UNIFORM = ("uniform", "int_uniform", "q_uniform")
_MOST, _MOST_BRACKETS = 1e9, 20  # of a number, and of an exponent, of early_terminate
_LOG = ("log_uniform_values", "q_log_uniform_values", "log_uniform", "q_log_uniform")


def from_wandb(path: str) -> StarterSweep:
    """Make the starter that a W&B sweep file becomes.

    Raises:
        SpecError: the file is missing or no YAML mapping.
    """
    document = parse_document(read_text(path, path, way_out="give the file to translate"), path)
    return _Translation(document).starter()


class _Translation:
    """One file on its way: what it becomes, what is left, what is guessed."""

    def __init__(self, document: Document) -> None:
        self._from = document
        self._left: list[str] = []
        self._guessed: list[str] = []
        self._fixed: dict[str, Any] = {}
        self._space: dict[str, Any] = {}

    def starter(self) -> StarterSweep:
        """The whole file."""
        data = self._from.data
        name = name_from(str(data.get("name") or Path(self._from.source).stem))
        for path, raw in self._parameters():
            self._parameter(path, raw)
        document = {
            "name": name,
            "command": self._command(),
            "parameters": self._fixed,
            "space": self._space,
            "objective": self._objective(),
            **self._sampler(),
            "pruner": self._pruner(),
            "experiment": data.get("project"),
            "replicates": 3,
        }
        self._guessed.append("replicates: 3; W&B trains each condition once. The program must take --seed")
        for key in data:
            if key not in (*_KNOWN, "early_terminate"):
                self._leave((key,), "has no counterpart")
        comment = [str(data["description"]).strip()] if data.get("description") else []
        return StarterSweep(
            comment=[*comment, f"From the W&B sweep {self._from.source}"],
            document={key: value for key, value in document.items() if value not in (None, {})},
            left=self._left,
            guessed=self._guessed,
        )

    def _leave(self, path: KeyPath, why: str) -> None:
        """Say what is not translated, at its line."""
        self._left.append(str(self._from.error(path, why)))

    def _parameters(self) -> Iterator[tuple[KeyPath, Any]]:
        """Every parameter; nested ones are dotted, as W&B passes them."""

        def below(path: KeyPath, raw: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
            for name, value in raw.items():
                if isinstance(value, Mapping) and isinstance(value.get("parameters"), Mapping):
                    yield from below((*path, name, "parameters"), value["parameters"])
                else:
                    yield (*path, name), value

        yield from below(("parameters",), self._mapping("parameters"))

    def _mapping(self, key: str) -> Mapping[str, Any]:
        found = self._from.data.get(key) or {}
        if not isinstance(found, Mapping):
            raise self._from.error((key,), f"must be a mapping, not {found!r}; see W&B's sweep configuration")
        return found

    def _parameter(self, path: KeyPath, raw: Any) -> None:
        name = ".".join(str(part) for part in path if part != "parameters")
        if not isinstance(raw, Mapping):
            self._leave(path, f"is {raw!r}, not a mapping; give {name} a domain in space")
            return
        known = ("value", "values", "min", "max", "q", "distribution")
        for key in raw:
            if key not in known:
                self._leave((*path, key), "has no counterpart")
        if "value" in raw:
            self._fixed[name] = raw["value"]
        elif "values" in raw:
            values = raw["values"]
            self._space[name] = values if isinstance(values, list) else [values]
        elif (domain := self._range(path, name, raw)) is not None:
            self._space[name] = domain

    def _range(self, path: KeyPath, name: str, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        kind = raw.get("distribution")
        low, high = raw.get("min"), raw.get("max")
        numbers = [one for one in (low, high) if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if kind not in (None, *_UNIFORM, *_LOG) or len(numbers) < 2:
            what = f"distribution {kind}" if kind not in (None, *_UNIFORM, *_LOG) else "a range without min and max"
            self._leave(path, f"{what} has no counterpart; give {name} a domain in space, or a value in parameters")
            return None
        if kind in ("log_uniform", "q_log_uniform"):  # their ends are exponents of e
            try:
                low, high = math.exp(numbers[0]), math.exp(numbers[1])
            except OverflowError:
                self._leave(path, f"{numbers!r} are exponents of e, and too large; give {name} a domain in space")
                return None
        elif kind in ("uniform", "q_uniform", "log_uniform_values", "q_log_uniform_values"):
            low, high = float(numbers[0]), float(numbers[1])
        domain: dict[str, Any] = {"low": low, "high": high}
        step = raw.get("q", 1 if str(kind).startswith("q_") else None)
        if kind in _LOG:
            domain["log"] = True
            if step is not None:
                self._leave(path, f"q {step}: a log range has no steps here; {name} takes every number of it")
        elif isinstance(step, (int, float)):
            domain["step"] = float(step) if isinstance(low, float) else step
        elif step is not None:
            self._leave((*path, "q"), f"must be a number, not {step!r}; {name} takes every number of its range")
        return domain

    def _objective(self) -> dict[str, Any] | None:
        metric = self._from.data.get("metric")
        if not isinstance(metric, Mapping) or "name" not in metric:
            self._left.append(
                f"{self._from.source}: no metric is named; give objective: {{metric: NAME, direction: …}}"
            )
            return None
        for key in metric:
            if key not in ("name", "goal"):
                self._leave(("metric", key), "has no counterpart: a sweep ends by trials or timeout")
        return {"metric": metric["name"], "direction": metric.get("goal", "minimize")}

    def _sampler(self) -> dict[str, Any]:
        method = str(self._from.data.get("method", "grid"))
        if method not in _SAMPLERS:
            self._leave(("method",), f"{method} has no counterpart; sampler random is used instead")
        sampler = _SAMPLERS.get(method, "random")
        if sampler == "grid":
            for name, domain in self._space.items():
                if isinstance(domain, dict) and "step" not in domain:
                    domain["points"] = 5
                    self._guessed.append(f"space.{name}.points: 5; a grid needs a number of points")
            if "run_cap" in self._from.data:
                self._leave(("run_cap",), "a grid has its own number of conditions")
            return {"sampler": sampler}
        trials = self._from.data.get("run_cap")
        if trials is None:
            self._guessed.append(f"trials: {GUESSED_TRIALS}; W&B goes on until it is stopped")
        return {"sampler": sampler, "trials": trials or GUESSED_TRIALS}

    def _pruner(self) -> dict[str, Any] | None:
        early = self._from.data.get("early_terminate")
        if early is None:
            return None
        if not isinstance(early, Mapping) or early.get("type") != "hyperband":
            self._leave(("early_terminate",), "only type hyperband has a counterpart; see rothamsted explain pruner")
            return None
        for key in early:
            if key not in ("type", "min_iter", "max_iter", "eta", "s"):
                self._leave(("early_terminate", key), "has no counterpart")
        eta, s = early.get("eta", 3), early.get("s", 1)
        numbers = (eta, s, early.get("min_iter", 1), early.get("max_iter", 1))
        if not all(isinstance(one, (int, float)) and 0 < one < _MOST for one in numbers) or s > _MOST_BRACKETS:
            self._leave(
                ("early_terminate",), "min_iter, max_iter, eta and s must be numbers; see rothamsted explain pruner"
            )
            return None
        if "min_iter" in early:  # brackets at min_iter * eta^k, without an end: successive halving
            return {"name": "asha", "min_resource": early["min_iter"], "reduction_factor": eta}
        if "max_iter" not in early:
            self._leave(("early_terminate",), "has neither min_iter nor max_iter; see rothamsted explain pruner")
            return None
        least = max(1, int(early["max_iter"] / eta**s))
        return {"name": "asha", "min_resource": least, "reduction_factor": eta}

    def _command(self) -> str | None:
        data = self._from.data
        program = data.get("program")
        words = data.get("command") or ["${env}", "${interpreter}", "${program}", "${args}"]
        if not isinstance(words, list):
            self._leave(
                ("command",), f"must be a list of words, not {words!r}; give command: python PROGRAM {{parameters}}"
            )
            return None
        if program is None and "${program}" in words:
            self._left.append(f"{self._from.source}: no program is named; give command: python PROGRAM {{parameters}}")
            return None
        found = []
        for n, word in enumerate(words):
            text = _ARGUMENTS.get(str(word), str(word).replace("${program}", str(program)))
            if "${" in text:
                self._leave(("command", n), f"{word} has no counterpart; see rothamsted explain command")
            elif text:
                found.append(text if text.startswith("{") else shlex.quote(text))
        return " ".join(found)
