"""Train recorded replicates again, and say for each whether it gave the same, and what is different here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rothamsted import tags, tracking
from rothamsted.errors import StoreError
from rothamsted.reproducing.again import Again, train_again
from rothamsted.reproducing.checkout import Code, code_of
from rothamsted.reproducing.recorded import Recorded, read_recorded, replicates_of
from rothamsted.reproducing.streams import Compared, Verdict, compared
from rothamsted.tracking import FoundRun
from rothamsted.tracking.environment import environment_text

_WORST: tuple[Verdict, ...] = ("identical", "equal", "different")
_MOST_PACKAGES = 8  # that are named
_FACTS = {tags.MACHINE: "machine", tags.THREADS: "threads", tags.PYTHON: "Python", tags.DEVICE: "device"}


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Holds one replicate, trained again.

    Attributes:
        run_id: of the recorded run.
        name: of the run.
        seed: of the replicate.
        compared: its stream of metrics against the record.
        state: identical, different, or why the final states were not compared.
        code: which code it was trained with.
        differences: of code, data, packages and machine, a line each; empty: none that is known.
        rtol: the tolerance.
    """

    run_id: str
    name: str
    seed: str
    compared: Compared
    state: str
    code: str
    differences: tuple[str, ...]
    rtol: float

    @property
    def verdict(self) -> Verdict:
        """Give the verdict on stream and final state together.

        A state that differs is within the tolerance if the stream is.
        """
        found = self.compared.verdict
        return "equal" if found == "identical" and self.state == "different" else found


def worst_of(found: Sequence[Reproduction]) -> Verdict:
    """Return the worst verdict of several."""
    return _WORST[max(_WORST.index(one.verdict) for one in found)]


def reproduce(
    runs: Sequence[FoundRun],
    root: Path,
    *,
    uri: str,
    rtol: float | None = None,
    takes_present: bool = False,
    say: Callable[[Reproduction], None] = lambda one: None,
) -> list[Reproduction]:
    """Train runs again, one after the other.

    Args:
        runs: replicates, trials, or sweeps, which stand for their winner.
        root: the project here, whose repository has the commits.
        uri: tracking URI.
        rtol: relative tolerance; None: the study's own, and none for a command.
        takes_present: train with the code as it is here.
        say: told of each when it is done.

    Raises:
        UserError: a run that is no training, or cannot be trained again.
    """
    replicates = {one.run_id: one for run in runs for one in replicates_of(run, uri=uri)}
    records = [read_recorded(one, uri=uri) for one in replicates.values()]  # all, before anything takes time
    found = []
    for recorded in records:
        with code_of(recorded, root, takes_present=takes_present) as code:
            one = _compared(recorded, train_again(recorded, code.root), code, rtol)
        say(one)
        found.append(one)
    return found


def named_runs(names: Sequence[str], *, uri: str) -> list[FoundRun]:
    """Return the runs of these ids.

    Raises:
        StoreError: there is none of an id.
    """
    found = []
    for name in names:
        run = tracking.find_run(name, uri=uri)
        if run is None:
            raise StoreError(f"reproduce: there is no run {name} in the tracking store; a sweep is named by sweep=NAME")
        found.append(run)
    return found


def _compared(recorded: Recorded, again: Again, code: Code, rtol: float | None) -> Reproduction:
    tolerance = rtol if rtol is not None else again.rtol or 0.0
    last = max((step for step, _ in recorded.points), default=0)
    stream = compared(recorded.points, again.points, rtol=tolerance, to_step=last if recorded.is_cut else None)
    return Reproduction(
        run_id=recorded.run.run_id,
        name=recorded.run.name,
        seed=recorded.seed,
        compared=stream,
        state=_state(recorded.facts.get(tags.FINAL_STATE, ""), again.final_state),
        code=code.words,
        differences=_differences(recorded, again, code),
        rtol=tolerance,
    )


def _state(was: str, now: str) -> str:
    if not was:
        return "not recorded"
    if not now:
        return "not known: training again gave no model with arrays"
    return "identical" if was == now else "different"


def _differences(recorded: Recorded, again: Again, code: Code) -> tuple[str, ...]:
    """What is not as it was recorded, a line each."""
    lines = [f"code: {code.differs}"] if code.differs else []
    digests = recorded.facts.get(tags.CODE_DIGEST, "").split("+")
    if any(digests) and again.code_digest and again.code_digest not in digests:
        lines.append(f"code: the study's files have the digest {again.code_digest[:12]}, not {digests[-1][:12]}")
    data = recorded.facts.get(tags.DATA_SHA, "")
    if data and again.data_digest and data != again.data_digest:
        lines.append(f"data: digest {again.data_digest[:12]}, not {data[:12]}")
    lines += [
        f"{word}: {again.facts.get(name, 'none')}, not {recorded.facts[name]}"
        for name, word in _FACTS.items()
        if name in recorded.facts and again.facts.get(name) != recorded.facts[name]
    ]
    return (*lines, *_packages(recorded.environment))


def _packages(recorded: str) -> list[str]:
    """The packages that have another version here, in a line."""
    was, now = _versions(recorded), _versions(environment_text())
    if not was:
        return []
    differ = [
        f"{name} {now.get(name, 'missing')} (was {was.get(name, 'missing')})"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    ]
    more = f" and {len(differ) - _MOST_PACKAGES} more" if len(differ) > _MOST_PACKAGES else ""
    return [f"packages: {', '.join(differ[:_MOST_PACKAGES])}{more}"] if differ else []


def _versions(text: str) -> dict[str, str]:
    packages = [line.partition("==") for line in text.splitlines() if not line.startswith("#")]
    return {name: version for name, _, version in packages}
