"""Connect to a Ray cluster, and check that its nodes have what workers need.

The connection lasts as long as this process, so the stages of a sweep share it.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted.errors import UserError
from rothamsted.executors.crew import Job
from rothamsted.executors.ray_worker import Seen, look

if TYPE_CHECKING:
    import ray

CONNECT_SECONDS = 60.0
ANSWER_SECONDS = 5.0
_ONE_CORE: Mapping[str, Any] = {"CPU": 1}
_given: dict[str, Any] = {}  # with what this process has connected; empty: it has not, or another piece of it has


@dataclass(frozen=True, kw_only=True)
class Node:
    """Describes a living node of the cluster.

    Attributes:
        id: Ray's name of it.
        host: its machine's name.
        total: resource -> how much it has in all.
    """

    id: str
    host: str
    total: Mapping[str, float]


def imported() -> Any:
    """Return the package ray.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError("execution.executor: ray needs the package ray; pip install 'rothamsted[ray]'") from error
    return ray


def connect(job: Job, n_workers: int) -> ray:  # type: ignore[valid-type]
    """Connect to the cluster, unless this process is connected already.

    Args:
        job: its `options` are `address`, `resources` and `runtime_env` of the sweep file.
        n_workers: least number of cores of a new local cluster.

    Raises:
        UserError: there is no such cluster, or this process is connected to another one.
    """
    found = imported()
    wanted = {"address": job.options.get("address", "auto"), "runtime_env": job.options.get("runtime_env") or {}}
    if found.is_initialized():
        _refuse_other(found, wanted)
        return found
    address = None if wanted["address"] == "local" else _address(wanted["address"])
    how: dict[str, Any] = {"address": address or "local", "runtime_env": wanted["runtime_env"] or None}
    if address is None:
        cores = max(os.cpu_count() or 1, math.ceil(n_workers * resources_of(job).get("CPU", 0)))
        how |= {"num_cpus": cores, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    elif address != "auto":
        _refuse_silence(address)
    with _signals_kept():
        try:
            found.init(**how, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # Ray raises Exception itself where a node does not start in time
            way_out = "is that cluster running?" if address else "give the command again when this machine is less busy"
            raise UserError(f"execution.address: {wanted['address']}: {_line(error)}; {way_out}") from error
    _given.update(wanted)
    return found


def _many(n: float, noun: str) -> str:
    return f"{n:g} {noun}{'' if n == 1 else 's'}"


def resources_of(job: Job) -> Mapping[str, Any]:
    """Return the resources that one worker takes of its node; one core if the file does not say."""
    return job.options.get("resources") or _ONE_CORE


def nodes(found: Any) -> list[Node]:
    """Return the living nodes."""
    return [
        Node(id=one["NodeID"], host=one["NodeManagerHostname"], total=one["Resources"])
        for one in found.nodes()
        if one["Alive"]
    ]


def room(found: Any, job: Job) -> int:
    """Return how many workers the nodes can hold if nothing else runs on them."""
    takes = resources_of(job)
    return sum(
        min((int(node.total.get(name, 0) / need + 1e-9) for name, need in takes.items() if need), default=1)
        for node in nodes(found)
    )


def check(job: Job, n_workers: int) -> list[str]:
    """Check that a cluster has what a job needs, before anything is made for it, and return lines to show.

    Raises:
        UserError: a node lacks something, or does not share the folders of workers.
    """
    found = connect(job, n_workers)
    living = nodes(found)
    elsewhere = sorted({node.host for node in living} - {socket.gethostname()})
    if job.files and elsewhere:
        raise UserError(
            f"execution.executor: ray: {', '.join(job.files)} is a file of this machine, and the cluster has nodes on "
            f"others ({', '.join(elsewhere[:3])}); give a storage postgresql+psycopg://…, and a tracking server"
        )
    with _marked(job.folders) as marks:
        for seen in _looked(found, living, marks | _project(job)):
            _refuse_lack(seen, job)
    n_room, of_all = room(found, job), {name: sum(n.total.get(name, 0) for n in living) for name in ("CPU", "GPU")}
    has = [
        _many(len(living), "node"),
        _many(of_all["CPU"], "core"),
        *([_many(of_all["GPU"], "GPU")] if of_all["GPU"] else []),
    ]
    lines = [f"ray: {', '.join(has)}; room for {_many(n_room, 'worker')}"]
    if not n_room and job.options.get("address") == "local":
        raise UserError(f"execution.resources: {dict(resources_of(job))} is more than this machine has; give less")
    if n_room < (1 if job.most is not None else n_workers):
        lines.append(f"ray: workers beyond {n_room} start when nodes with {dict(resources_of(job))} are added")
    return lines


# ---- within ----


def _address(given: str) -> str | None:
    """What Ray is given; None: a cluster of this process's own, where auto finds none."""
    if given != "auto":
        return given
    if os.environ.get("RAY_ADDRESS"):
        return os.environ["RAY_ADDRESS"]
    from ray._private.services import find_gcs_addresses

    return "auto" if find_gcs_addresses() else None


def head_of(found: Any) -> str:
    """Return the address at which this process reached the head of the cluster."""
    given = str(_given.get("address", ""))
    return given if given.startswith("ray://") else found.get_runtime_context().gcs_address


def silence_of(address: str) -> str:
    """Say why there is no answer at an address; empty if there is one."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        return _line(error)
    return ""


def _refuse_silence(address: str) -> None:
    """Ray itself waits for minutes where nobody answers."""
    if why := silence_of(address):
        raise UserError(
            f"execution.address: {address}: nobody answers there ({why}); start a cluster with "
            "ray start --head, or give the address that it prints"
        )


def _refuse_other(found: Any, wanted: Mapping[str, Any]) -> None:
    here = found.get_runtime_context().gcs_address
    is_named = wanted["address"] not in ("auto", "local", here, _given.get("address"))
    if is_named or (wanted["runtime_env"] and wanted["runtime_env"] != _given.get("runtime_env")):
        key = "address" if is_named else "runtime_env"
        raise UserError(
            f"execution.{key}: this process is connected to Ray at {here} already, with other settings; call "
            "ray.shutdown() first"
        )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; a sweep hears it, and writes its checkpoints."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _marked(folders: Sequence[str]) -> Iterator[dict[str, str]]:
    """Folder -> a file in it for so long, by which a node knows that it sees the same folder."""
    name, made = f".rothamsted-{secrets.token_hex(8)}", []
    try:
        for folder in map(Path, folders):
            made += [] if folder.is_dir() else [folder]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        yield dict.fromkeys(folders, name)
    except OSError as error:
        raise UserError(f"execution.executor: ray: {error.filename}: {error.strerror}") from error
    finally:
        for folder in map(Path, folders):
            (folder / name).unlink(missing_ok=True)
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _project(job: Job) -> dict[str, str]:
    """The folder that workers start in, where Ray does not bring it."""
    return {} if has_folder(job) else {str(Path.cwd()): ""}


def has_folder(job: Job) -> bool:
    """Say whether Ray brings the folder that workers start in."""
    return "working_dir" in (job.options.get("runtime_env") or {})


def _looked(found: Any, living: Sequence[Node], marks: Mapping[str, str]) -> list[Seen]:
    """What each node says; one that cannot run the engine is named."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here, ask = {node.id: node for node in living}, found.remote(look)
    asked = {
        ask.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(
            marks
        ): node
        for node_id, node in here.items()
    }
    said = []
    for reference, node in asked.items():
        try:
            said.append(found.get(reference, timeout=CONNECT_SECONDS))
        except Exception as error:  # whatever a node answers instead: Ray's own errors, and those of unpickling
            raise UserError(
                f"execution.executor: ray: node {node.host} cannot run the engine ({_line(error)}); install "
                f"rothamsted {version('rothamsted')} there, or give execution.runtime_env: {{pip: [...]}}"
            ) from error
    return said


def _refuse_lack(seen: Seen, job: Job) -> None:
    own = version("rothamsted")
    if seen.version != own:
        raise UserError(
            f"execution.executor: ray: node {seen.host} has rothamsted {seen.version}, and this process {own}; install "
            f"rothamsted {own} there"
        )
    for folder in seen.lacks:
        if folder in job.folders:
            way_out = "give a folder that all nodes share (ROTHAMSTED_HOME, execution.checkpoint_dir, or where MLflow "
            way_out += "keeps artifacts), or a tracking server and execution.checkpoints: artifacts"
        else:
            way_out = "give execution.runtime_env: {working_dir: .}, which brings it, or a folder that all nodes share"
        raise UserError(f"execution.executor: ray: node {seen.host} does not see {folder}; {way_out}")


def _line(error: BaseException) -> str:
    """The last line of what Ray says that is not a frame of a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
