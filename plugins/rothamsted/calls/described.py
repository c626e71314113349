"""Describe a sweep without running it: a call and a file give the same value, checked when it is made."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import yaml

from rothamsted.calls.keys import SweepKeys, takes_keys, with_keys
from rothamsted.calls.spaces import is_short_of
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home
from rothamsted.printable import console as new_console
from rothamsted.space import DomainError, domain_from_plain
from rothamsted.spec import Sweep as CheckedSweep
from rothamsted.spec import digest, resolved
from rothamsted.spec.comment import opening_comment
from rothamsted.spec.document import Document
from rothamsted.spec.load import read_sweep_file
from rothamsted.spec.recorded import recorded_text
from rothamsted.studies import Study, find
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.from_file import find_target, load
from rothamsted.sweeping.open.if_exists import IfExists
from rothamsted.sweeping.open.usual import usual_metric, usual_name, usual_sampler
from rothamsted.yaml_text import read_text

if TYPE_CHECKING:
    from rothamsted.calls.result import Result

FILES = (".yaml", ".yml", ".json")
PLACE = "rt.sweep"  # what errors call the arguments of a call
_TARGETS = "a function, a Sweep, 'train.py:train', a sweep file such as 'sweep.yaml', or the name of an entry point"


@takes_keys
@dataclass(frozen=True, init=False, eq=False, repr=False)
class DescribedSweep:
    """Describes a sweep and checks it, without running it.

    Args:
        target: a function, "train.py:train", a sweep file ("sweep.yaml"), the name of an entry point, or a sweep that
            is described already, such as `rt.load("digits").sweep`. None: `keys` has a `command` or a `project`.
        space: parameter -> domain: `uniform`, `loguniform`, `integers`, `choice`, a list, a range, an array.
        keys: the keys of a sweep file; see `SweepKeys`. If the target is a file, they override its values.

    Attributes:
        spec: all keys, checked, with their defaults.
        root: folder of the project.
        source: the sweep file; empty if there is none.
        question: the opening comment of the file, or the docstring of the function.
        plain: the keys as a file says them: those that were given, and the defaults of a call.

    Raises:
        UserError: names a mistake with its place, the value and the way out.

    Example:
        >>> sweep = Sweep("sweeps/quickstart.yaml", replicates=2)
        >>> sweep.name
        'quickstart'
    """

    spec: CheckedSweep  # with all defaults
    root: Path  # of the project
    source: str  # the sweep file; empty where there is none
    question: str  # the file's opening comment
    plain: Mapping[str, Any]  # as a file says it: what was given, and the defaults of a call
    _study: Study | ForeignStudy | None  # None: of a record; looked for when it is needed

    def __init__(
        self, target: Any = None, /, space: Mapping[str, Any] | None = None, **keys: Unpack[SweepKeys]
    ) -> None:
        root = find_home(Path.cwd())
        opened = _open(target, keys, root)
        document = with_keys(opened.document, space, PLACE, **keys)
        if not opened.source:
            document = _with_defaults(document, opened)
        spec, study = load(document, {}, root, known=opened.known)
        for name, domain in (space or {}).items():
            if is_short_of(domain, spec.space[name]):
                raise UserError(
                    f"{PLACE}: space.{name}: rt.integers gives whole numbers, and {name} takes any number; give "
                    "rt.uniform, rt.loguniform, or a list"
                )
        own = {"spec": spec, "_study": study, "root": root, "source": opened.source, "question": opened.question}
        self._set(**own, plain=document.data)

    @classmethod
    def of_record(cls, spec: CheckedSweep, *, question: str) -> Self:
        """Make a sweep from its record, with all its defaults. Its study may be missing here.

        Args:
            spec: the checked keys of the sweep.
            question: the opening comment of its file.

        Example:
            >>> sweep = Sweep("sweeps/quickstart.yaml", replicates=2)
            >>> Sweep.of_record(sweep.spec, question="Which rate is best?") == sweep
            True
        """
        made = object.__new__(cls)
        own = {"spec": spec, "_study": None, "root": find_home(Path.cwd()), "source": "", "question": question}
        made._set(**own, plain=resolved(spec))
        return made

    @property
    def study(self) -> Study | ForeignStudy:
        """Give the study, project or command that the sweep trains.

        Raises:
            UserError: it no longer exists.

        Example:
            >>> sweep = Sweep("sweeps/quickstart.yaml", replicates=2)
            >>> sweep.study.name
            'batch_size'
        """
        return find_target(self.spec, self.root) if self._study is None else self._study

    @property
    def name(self) -> str:
        """Give the name of the sweep. Running a sweep of the same name again goes on with it.

        Example:
            >>> sweep = Sweep("sweeps/quickstart.yaml", replicates=2)
            >>> sweep.name
            'quickstart'
        """
        return self.spec.name

    def check(self) -> None:
        """Print the plan. Its time is measured on one replicate.

        Raises:
            UserError: the data cannot be used, or a metric is not logged.

        Example:
            >>> Sweep("sweeps/quickstart.yaml").check()  # doctest: +SKIP
        """
        from rothamsted.sweeping.open.check import print_plan

        print_plan(self.spec, self.study, console=new_console())

    def to_yaml(self, path: str | Path | None = None) -> str:
        """Give the sweep as the text of a sweep file.

        Args:
            path: a file to write the text to; None: write none.

        Raises:
            UserError: no file holds the function, or the path cannot be written.

        Example:
            >>> sweep = Sweep("sweeps/quickstart.yaml", replicates=2)
            >>> "study: batch_size" in sweep.to_yaml()
            True
        """
        if str(self.plain.get("study", "")).startswith(":"):
            raise UserError(
                f"to_yaml: {self.name}: no file holds the function, so no other process finds it; put it in a script "
                "and give its name: rt.Sweep('train.py:train', …)"
            )
        comment = "".join(f"# {line}".rstrip() + "\n" for line in self.question.splitlines())
        text = comment + yaml.dump(dict(self.plain), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        if path is not None:
            try:
                Path(path).write_text(text, encoding="utf-8")
            except OSError as error:
                raise UserError(f"to_yaml: {path}: cannot be written: {error.strerror}; give another path") from error
        return text

    def run(self, *, if_exists: IfExists = "resume", save: bool = True) -> Result:
        """Run the sweep, or go on with it.

        Args:
            if_exists: what to do if a sweep of this name exists; see `rothamsted.sweep`.
            save: False: keep nothing but the result.

        Raises:
            UserError: as `rothamsted.sweep`.
            KeyboardInterrupt: Ctrl-C stopped it.

        Example:
            >>> result = Sweep("sweeps/quickstart.yaml").run(if_exists="new")  # doctest: +SKIP
        """
        from rothamsted.calls.run import run

        return run(self, if_exists=if_exists, save=save)

    def renamed(self, name: str) -> Self:
        """Give the same sweep under another `name`.

        Example:
            >>> sweep = Sweep("sweeps/quickstart.yaml", replicates=2)
            >>> sweep.renamed("again").name
            'again'
        """
        return self.with_spec(self.spec.model_copy(update={"name": name}), plain={**self.plain, "name": name})

    def with_spec(self, spec: CheckedSweep, *, plain: Mapping[str, Any] | None = None) -> Self:
        """Give the same sweep with other values.

        Args:
            spec: all keys, checked.
            plain: the keys as a file says them; None: unchanged.

        Example:
            >>> sweep = Sweep("sweeps/quickstart.yaml", replicates=2)
            >>> sweep.with_spec(sweep.spec) == sweep
            True
        """
        made = object.__new__(type(self))
        changed = {"spec": spec, "plain": self.plain if plain is None else plain}
        made._set(**{field: changed.get(field, getattr(self, field)) for field in self.__dataclass_fields__})
        return made

    def _set(self, **fields: Any) -> None:
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DescribedSweep) and resolved(self.spec) == resolved(other.spec)

    def __hash__(self) -> int:
        return hash(digest(self.spec))

    def __repr__(self) -> str:
        domains = ", ".join(self.spec.space)
        return f"Sweep({self.name!r}, {self.spec.study or self.spec.project}, space of {domains or 'one condition'})"


Sweep = DescribedSweep  # its public name; `rothamsted.spec.Sweep` is what it holds


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """What a target is, before the keys of the call."""

    document: Document
    known: Mapping[str, Study]  # study that is there already, by the name that a file has for it
    source: str = ""
    question: str = ""


def _open(target: Any, keys: Mapping[str, Any], root: Path) -> _Opened:
    """Find what is meant by the first argument.

    Raises:
        UserError: nothing, or a thing that cannot be swept.
    """
    if isinstance(target, DescribedSweep):
        study = target._study
        known = {str(target.spec.study): study} if isinstance(study, Study) else {}
        document = Document(source=PLACE, data=dict(target.plain), places={})
        return _Opened(document=document, known=known, source=target.source, question=target.question)
    if isinstance(target, Path) or (isinstance(target, str) and target.endswith(FILES)):
        document = read_sweep_file(target)
        text = read_text(target, str(target), way_out="give the path of a sweep file")
        return _Opened(document=document, known={}, source=str(target), question=opening_comment(recorded_text(text)))
    if target is None and not {"command", "project"} & {key for key, value in keys.items() if value is not None}:
        raise UserError(f"{PLACE}: nothing to sweep; give {_TARGETS}, or command=…, or project=…")
    if target is None:
        return _Opened(document=Document(source=PLACE, data={}, places={}), known={})
    if isinstance(target, (str, Study, Callable)):
        study = find(target, root)
        name = target if isinstance(target, str) else study.name if study.function is None else study.function.target
        question = inspect.getdoc(study.function.call) or "" if study.function is not None else ""
        document = Document(source=PLACE, data={"study": name}, places={})
        return _Opened(document=document, known={name: study}, question=question)
    raise UserError(f"{PLACE}: {target!r} cannot be swept; give {_TARGETS}")


def _with_defaults(document: Document, opened: _Opened) -> Document:
    """What a call without a file leaves out: name, metric, sampler."""
    data = dict(document.data)
    for study in opened.known.values():
        data.setdefault("name", usual_name(study.name))
        told = data.get("objective")
        usual = usual_metric(study)
        if usual is not None and (
            told is None or (isinstance(told, Mapping) and not {"metric", "expression"} & set(told))
        ):
            data["objective"] = {"metric": usual, **(told or {})}
    if "sampler" not in data:
        is_finite = all(map(_is_finite, (data.get("space") or {}).values()))
        data["sampler"] = {"name": usual_sampler(has_trials=data.get("trials") is not None, is_finite=is_finite)}
    first = ("name", "study", "command", "project")
    ordered = {key: data[key] for key in (*first, *(key for key in data if key not in first)) if key in data}
    return Document(source=document.source, data=ordered, places=document.places)


def _is_finite(plain: Any) -> bool:
    """Whether a domain has an end without `trials`; one with a mistake is refused later, with its place."""
    try:
        domain_from_plain(plain).grid_points()
    except DomainError:
        return False
    return True


class _Dumper(yaml.SafeDumper):
    """Writes text that looks like a number in quotes: `1e-3` is text to YAML, and a number to its reader."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_odd = re.fullmatch(r"[-+.\d_]+([eE][-+]?\d*)?|[-+]?\.?(inf|infinity|nan)", text, re.IGNORECASE)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if is_odd else None)


_Dumper.add_representer(str, _text)
