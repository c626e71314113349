"""Run one case under limits and judge it; the table of kinds.

A kind is one row: its name, what it starts from, how that is mutated, and how one case is run. A module of this
package that has a tuple `KINDS` adds its rows.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from rothamsted.errors import UserError

MOST_SECONDS = 1.0  # of processor time, for one case
MOST_BYTES = 2**30  # of address space more than before the case
MOST_CHARACTERS = 600  # of a refusal: some eight lines of a terminal
BATCH = 2_000  # cases of one process: what one leaves in memory is not charged to many others
GRACE_SECONDS = 3  # of processor time, from the limit to the kernel's own signal: C code hears no other


class FaultError(Exception):
    """An accepted case is not as it must be: a number is not finite, or a round trip loses something."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of input.

    Attributes:
        name: on the command line and in the table.
        seeds: what people really write; each is accepted as it is.
        mutate: a seed, changed at random; may take parts of other seeds.
        run: read the case; it may write the case into files of the folder that it gets. It returns when the case is
            accepted, raises one of `refusals` when it is refused, and `FaultError` when what was accepted is wrong.
        refusals: the errors that a reader may raise.
    """

    name: str
    seeds: Callable[[], Sequence[Any]]
    mutate: Callable[[Sequence[Any], Random], Any]
    run: Callable[[Any, Path], None]
    refusals: tuple[type[Exception], ...] = (UserError,)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of one case.

    Attributes:
        case: its number; below zero it is a seed as it is.
        verdict: accepted, refused, or what is wrong.
        line: of the refusal, or of the fault's place.
        seconds: of processor time.
        shown: the input of a fault, shortened.
    """

    case: int
    verdict: str
    line: str = ""
    seconds: float = 0.0
    shown: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether it is neither accepted nor refused as it must be."""
        return self.verdict not in ("accepted", "refused")


@dataclass(kw_only=True)
class Tally:
    """What came of the cases of one kind."""

    kind: str
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    faults: list[Judged] = field(default_factory=list)

    def add(self, one: Judged) -> None:
        """Count one case."""
        self.accepted += one.verdict == "accepted"
        self.refused += one.verdict == "refused"
        self.slowest = max(self.slowest, one.seconds)
        self.seconds += one.seconds
        self.faults += [one] if one.is_fault else []


def kinds() -> Mapping[str, Kind]:
    """Every kind, by name: the rows of all modules of this package."""
    package = importlib.import_module("tests.fuzz")
    names = sorted(one.name for one in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"tests.fuzz.{n}") for n in names if n != "__main__" and "test_" not in n]
    return {kind.name: kind for module in modules for kind in getattr(module, "KINDS", ())}


def case_of(kind: Kind, seed: int, case: int) -> Any:
    """The input of a case: equal seeds give equal cases; below zero the seeds themselves."""
    seeds = kind.seeds()
    if case < 0:
        return seeds[case + len(seeds)]
    return kind.mutate(seeds, Random(f"{seed} {kind.name} {case}"))


def run_kind(kind: Kind, *, seed: int, n_cases: int) -> Tally:
    """Run the seeds as they are, and so many mutants, in processes of their own."""
    tally = Tally(kind=kind.name)
    todo = [*range(-len(kind.seeds()), 0), *range(n_cases)]
    while todo:
        done = list(_in_child(kind, seed, todo[:BATCH]))
        for one in done:
            again = _slow_again(kind, seed, one) if one.verdict.startswith("over a second") else one
            if one.case < 0 and not again.is_fault and again.verdict != "accepted":
                again = Judged(case=one.case, verdict="a seed is refused", line=again.line)
            tally.add(again)
        todo = todo[len(done) :]
    return tally


def _slow_again(kind: Kind, seed: int, one: Judged) -> Judged:
    """A busy machine, or an import, may make one case slow: the second time it is the code."""
    return list(_in_child(kind, seed, [one.case, one.case], is_patient=True))[-1]


def _in_child(kind: Kind, seed: int, cases: Sequence[int], *, is_patient: bool = False) -> Iterator[Judged]:
    """The cases in a forked process, up to the one that ended it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(kind, seed, cases, writing, is_patient=is_patient)
    os.close(writing)
    begun: int | None = None
    with os.fdopen(reading, encoding="utf-8") as lines:
        for line in lines:
            said = json.loads(line)
            begun = said if isinstance(said, int) else None
            if begun is None:
                yield Judged(**said)
    _, status = os.waitpid(pid, 0)
    if begun is not None:
        what = _ending(status)
        yield Judged(case=begun, verdict=what, shown=shown(case_of(kind, seed, begun)))
    elif status:
        raise RuntimeError(f"fuzz {kind.name}: the process of the cases ended with status {status}")


def _ending(status: int) -> str:
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return "over a second of processor time, in one call"
    return f"ended the process: {signal.Signals(number).name if number else f'status {os.WEXITSTATUS(status)}'}"


def _child(kind: Kind, seed: int, cases: Sequence[int], writing: int, *, is_patient: bool) -> None:
    status = 1
    try:
        with os.fdopen(writing, "w", encoding="utf-8") as out, _own_folders() as (given, work):
            for n, case in enumerate(cases):
                print(case, file=out, flush=True)
                content = case_of(kind, seed, case)
                is_first = is_patient and n == 0
                print(json.dumps(asdict(judge(kind, case, content, given, work, is_warm=not is_first))), file=out)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


@contextmanager
def _own_folders() -> Iterator[tuple[Path, Path]]:
    """A folder for the files of a case, and the working directory, in which nothing may be left."""
    with tempfile.TemporaryDirectory(prefix="rothamsted-fuzz-") as name:
        given, work = Path(name, "given"), Path(name, "work")
        given.mkdir()
        work.mkdir()
        os.environ.update(TMPDIR=str(work), ROTHAMSTED_HOME=str(work))
        tempfile.tempdir = None
        os.chdir(work)
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            yield given, work
        os.chdir("/")


def judge(kind: Kind, case: int, content: Any, given: Path, work: Path, *, is_warm: bool = True) -> Judged:
    """Run one case in this process, and say what came of it."""
    began = time.process_time()
    verdict, line = "accepted", ""
    try:
        with _limits(is_warm=is_warm):
            kind.run(content, given)
    except kind.refusals as error:
        verdict, line = _of_refusal(error)
    except FaultError as error:
        verdict = f"accepted, but {error}"
    except BaseException as error:
        verdict, line = _of_other(error)
    seconds = time.process_time() - began
    if is_warm and seconds > MOST_SECONDS:
        verdict = f"over a second of processor time ({verdict})"
    if left := sorted(path.name for path in work.iterdir()):
        verdict, line = f"left behind: {', '.join(left)}", line
    _empty(given)
    _empty(work)
    found = Judged(case=case, verdict=verdict, line=line, seconds=seconds)
    return Judged(**{**asdict(found), "shown": shown(content)}) if found.is_fault else found


def _of_refusal(error: Exception) -> tuple[str, str]:
    line = " ".join(str(error).split())
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, MemoryError):
            return "over 1 GB", line
        chain = chain.__cause__ or chain.__context__
    if not line or not line.isprintable():
        return "refused in a line that cannot be printed", repr(line)[:MOST_CHARACTERS]
    if len(line) > MOST_CHARACTERS:
        return f"refused in a line of {len(line)} characters", line[:MOST_CHARACTERS]
    return "refused", line


def _of_other(error: BaseException) -> tuple[str, str]:
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames[-3:]]
    if isinstance(error, _TooLongError):
        return "over a second of processor time", " < ".join(reversed(places))
    if isinstance(error, MemoryError):
        return "over 1 GB", " < ".join(reversed(places))
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}", " < ".join(reversed(places))


class _TooLongError(BaseException):
    """A case has taken its time."""


@contextmanager
def _limits(*, is_warm: bool) -> Iterator[None]:
    """Processor time by a timer, and by the kernel where Python is not asked; memory by the kernel."""

    def stop(number: int, frame: object) -> None:
        raise _TooLongError

    hard_cpu = resource.getrlimit(resource.RLIMIT_CPU)[1]
    hard_space = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MOST_SECONDS if is_warm else 10 * MOST_SECONDS
    signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + most) + GRACE_SECONDS, hard_cpu))
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MOST_BYTES, hard_space))
    signal.setitimer(signal.ITIMER_PROF, most)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard_space, hard_space))


def _address_space() -> int:
    n_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return n_pages * resource.getpagesize()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def shown(content: Any, most: int = 400) -> str:
    """An input in one line, its middle left out where it is long."""
    text = content if isinstance(content, str) else repr(content)
    line = text.encode("unicode_escape").decode("ascii")
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-most // 2 :]} ({len(text)} in all)"
