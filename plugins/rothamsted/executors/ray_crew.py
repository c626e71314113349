"""Run workers on the nodes of a Ray cluster: an actor for each keeps the worker's process.

Workers claim trials from the search database, as local ones do, not through Ray. So a lost node costs only the work of
its workers since their last checkpoints.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from rothamsted.errors import UserError
from rothamsted.executors import ray_cluster
from rothamsted.executors.crew import Death, Event, Job
from rothamsted.executors.early import shared_out
from rothamsted.executors.ray_worker import NodeWorker

T = TypeVar("T")
POLL_SECONDS = 0.2
LOOK_SECONDS = 5.0  # between two looks at the head, and for new nodes where the number of workers is auto
HEAD_SECONDS = 20.0  # a head that is silent for so long is gone
LEAVE_SECONDS = 15.0  # for an actor to end its process, before Ray ends the actor
_THREADS = 6  # of an actor: one waits for events, the others answer
_CARRIED = ("MLFLOW_", "ROTHAMSTED_", "PG")  # variables with access to the two databases, which every node needs


@dataclass(frozen=True, kw_only=True)
class RayExecutor:
    """Starts each worker by an actor on a node of a cluster."""

    def check(self, job: Job, n_workers: int) -> list[str]:
        """Check that the cluster has what the job needs, and return lines to show.

        Raises:
            UserError: it lacks something.
        """
        return ray_cluster.check(job, n_workers)

    def start(self, job: Job, n_workers: int) -> RayCrew:
        """Start the actors. Those without room start when nodes are added.

        Raises:
            UserError: there is no such cluster.
        """
        job.as_json()  # refused here, not on a node
        found = ray_cluster.connect(job, n_workers)
        crew = RayCrew(job=job, n_workers=n_workers, ray=found, head=ray_cluster.head_of(found))
        try:
            crew.refill()
        except BaseException:
            crew.__exit__()
            raise
        return crew


@dataclass(kw_only=True, eq=False)
class _Remote:
    """One worker, as this process knows it."""

    name: str
    actor: Any
    begun: Any  # reference: answered when its process has been started
    answer: Any = None  # reference: its next events
    node: str = ""  # where it is; empty: it waits for room
    n_known: int = 0  # of its events
    why: str = ""  # it was ended for this
    is_asked: bool = False


@dataclass(kw_only=True, eq=False)
class RayCrew:
    """Runs the actors of one job; a `Crew`."""

    job: Job
    n_workers: int
    ray: Any
    head: str  # where the head of the cluster answers
    _living: dict[str, _Remote] = field(default_factory=dict)
    _heard: deque[Event] = field(default_factory=deque)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _kill_at: float | None = None  # on the monotonic clock; None: nobody was asked to leave
    _grace: float = 0.0
    _looked_at: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._kill_at = time.monotonic()
        asked = [
            one.actor.kill.remote("the sweep's own process has ended") for one in self._living.values() if one.node
        ]
        with contextlib.suppress(Exception):  # a node that is gone has ended its worker
            self.ray.wait(asked, num_returns=len(asked), timeout=LEAVE_SECONDS)
        for one in self._living.values():
            self._end_actor(one)
        self._living.clear()

    @property
    def n_alive(self) -> int:
        """Return the number of actors without an event of their end, including those that wait for room."""
        return len(self._living)

    def events(self, seconds: float) -> Iterator[Event]:
        """Yield their events for some seconds."""
        deadline = time.monotonic() + seconds
        while self._living or self._heard:
            self._kill_who_stays()
            self._look_around()
            left = deadline - time.monotonic()
            if not self._heard:
                self._listen(min(max(left, 0.0), POLL_SECONDS))
            while self._heard:
                event = self._heard.popleft()
                if event.death is not None:
                    self._end_actor(self._living.pop(event.worker))
                yield event
            if left <= 0:
                return

    def end(self, worker: str, why: str) -> None:
        """Kill one."""
        one = self._living.get(worker)
        if one is not None and not one.why:
            one.why = why
            one.actor.kill.remote(why)

    def refill(self) -> None:
        """Start as many as are missing: as the file says, or as there is room for."""
        while self._kill_at is None and len(self._living) < self._bounded(self._wanted):
            name = f"worker {next(self._numbers)}"
            self._living[name] = self._bounded(lambda name=name: self._new_worker(name))

    def stop(self, grace: float) -> None:
        """Ask each to leave; one that still waits for room has left."""
        if self._kill_at is None:
            self._grace, self._kill_at = grace, time.monotonic() + grace
            for one in self._living.values():
                one.is_asked = True
                if one.node:
                    one.actor.ask_to_leave.remote()
                else:
                    self._heard.append(Event(worker=one.name, death=Death(exit_code=0)))

    # ---- within ----

    def _wanted(self) -> int:
        if self.job.most is None:
            return self.n_workers
        return max(1, min(ray_cluster.room(self.ray, self.job), self.job.most))

    def _look_around(self) -> None:
        """Whether the head is still there, and, where the number of workers is auto, nodes that are new."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        if self.job.most is not None:
            self.refill()
        else:
            self._bounded(lambda: None)

    def _new_worker(self, name: str) -> _Remote:
        takes = dict(ray_cluster.resources_of(self.job))
        n_cores = takes.pop("CPU", 0)
        how = {"num_cpus": n_cores, "num_gpus": takes.pop("GPU", 0), "max_concurrency": _THREADS}
        how |= {"memory": takes.pop("memory")} if "memory" in takes else {}
        kept = {key: value for key, value in os.environ.items() if key.startswith(_CARRIED)}
        of_ray = self.ray.remote(NodeWorker).options(**how, resources=takes or None)
        actor = of_ray.remote(
            name=name,
            job=self.job,
            environment={**_threads(n_cores), **kept},
            folder=None if ray_cluster.has_folder(self.job) else str(Path.cwd()),
        )
        return _Remote(name=name, actor=actor, begun=actor.begin.remote())

    def _listen(self, seconds: float) -> None:
        """Wait for answers so long, and take what they say."""
        waiting = {one.answer if one.node else one.begun: one for one in self._living.values()}
        if not waiting:
            return
        ready, _ = self.ray.wait(list(waiting), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self.ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for reference in ready:
            self._take(waiting[reference], reference)

    def _take(self, one: _Remote, reference: Any) -> None:
        errors = self.ray.exceptions
        try:
            said = self.ray.get(reference)
        except errors.ActorUnavailableError:  # the network; asked again
            self._ask(one)
            return
        except errors.RayError as error:
            why = one.why or f"its node, or the actor there, is gone ({type(error).__name__})"
            self._heard.append(Event(worker=one.name, death=Death(exit_code=1, was_ended_because=why)))
            return
        if not one.node:
            one.node = said
        else:
            one.n_known += len(said)
            self._heard.extend(said)
        if not any(event.worker == one.name and event.death is not None for event in self._heard):
            self._ask(one)

    def _ask(self, one: _Remote) -> None:
        if one.node:
            one.answer = one.actor.events_after.remote(one.n_known)
        else:
            one.begun = one.actor.begin.remote()

    def _bounded(self, call: Callable[[], T]) -> T:
        """What a call answers that asks the head, for which Ray itself would wait without end.

        Raises:
            UserError: the head does not answer any more.
        """
        deadline = time.monotonic() + HEAD_SECONDS
        while ray_cluster.silence_of(self.head):
            if time.monotonic() > deadline:
                raise UserError(self._gone())
            time.sleep(POLL_SECONDS)
        answer: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue()
        threading.Thread(target=_answered, args=(call, answer), daemon=True).start()
        try:
            found, error = answer.get(timeout=HEAD_SECONDS)
        except queue.Empty:
            raise UserError(self._gone()) from None
        if error is not None:
            raise error
        return cast(T, found)

    def _gone(self) -> str:
        return (
            f"execution.executor: ray: the head of the cluster at {self.head} does not answer any more; start it "
            "again, or give another executor, and give the command again: nothing that is finished is lost"
        )

    def _end_actor(self, one: _Remote) -> None:
        if not ray_cluster.silence_of(self.head):
            with contextlib.suppress(Exception):  # it is gone already
                self._bounded(lambda: self.ray.kill(one.actor))

    def _kill_who_stays(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            for one in list(self._living.values()):
                self.end(one.name, f"it was asked to end and had not ended after {self._grace:g} s")


def _answered(call: Callable[[], T], answer: queue.Queue[tuple[T | None, BaseException | None]]) -> None:
    try:
        answer.put((call(), None))
    except BaseException as error:  # raised where it was asked
        answer.put((None, error))


def _threads(n_cores: float) -> Mapping[str, str]:
    """The cores of one worker, as the variables of threads say it."""
    return {key: str(max(1, int(n_cores))) for key in shared_out(1, {})}
