"""Start pre-imported processes in milliseconds, if that is safe: the owner's side.

If the pool is not safe it says why, and the caller starts plain processes (`process.start`), which give the same
results.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rothamsted.foreign import keeper
from rothamsted.foreign.process import Launch, Running, confirm, start
from rothamsted.named_files import is_file
from rothamsted.system import this_system

# These differ from run to run, and no library reads them while it is imported.
PER_RUN = frozenset({"MLFLOW_RUN_ID", "ROTHAMSTED_REPORT"})
_IMPORT_SECONDS = 120.0


@dataclass(kw_only=True)
class Pool:
    """Keeps processes that have imported ahead, of one script in one environment.

    Attributes:
        script: the argument list up to the script's own arguments.
        folder: the project's folder.
        environment: what the zygote was started with, without what differs from run to run.
        per_run: the variables that may differ from run to run.
        zygote: the process that forks.
        control: the socket to it.
    """

    script: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    per_run: frozenset[str]
    zygote: subprocess.Popen[bytes]
    control: socket.socket

    @classmethod
    def open(
        cls,
        folder: Path,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        per_run: frozenset[str] = PER_RUN,
    ) -> Pool | str:
        """Start a zygote for `python FILE.py …` or `python -m MODULE …`; or say in one line why there is none.

        Args:
            folder: the project's folder, where the command runs.
            arguments: the argument list of one run; the script's own arguments do not matter.
            environment: the whole environment of one run.
            per_run: variables that differ between runs; the imports do not see them.
        """
        if not this_system().forks_after_imports:
            return f"a warm start is for Linux only, and this is {this_system().name}"
        script = _script(folder, arguments, environment)
        if isinstance(script, str):
            return script
        common = {name: value for name, value in environment.items() if name not in per_run}
        ours, theirs = socket.socketpair()
        with theirs:
            zygote = subprocess.Popen(
                [script[0], "-m", "rothamsted.foreign.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=common,
                cwd="/",  # not the project's folder: a module of the project must not stand before the engine's
                start_new_session=True,
            )
        pool = cls(
            script=tuple(script), folder=folder, environment=common, per_run=per_run, zygote=zygote, control=ours
        )
        refusal = pool._prepare()
        if refusal:
            pool.close()
            return refusal
        return pool

    def start(self, launch: Launch) -> Running:
        """Start one run: forked where it is this pool's script and environment, else a plain process.

        Raises:
            LaunchError: it cannot be started.
        """
        if not self._fits(launch) or self.zygote.poll() is not None:
            return start(launch)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self.control, [b"+"], [theirs.fileno()])
            keeper.send(ours, launch.request())
        except ConnectionError:  # the zygote has died since: nothing was started
            ours.close()
            return start(launch)
        return confirm(Running(launch=launch, channel=ours, keeper_process=None))

    def close(self) -> None:
        """End the zygote; processes that it has started go on."""
        self.control.close()
        self.zygote.kill()
        self.zygote.wait()

    def _prepare(self) -> str:
        """Have the zygote import; why it cannot be used, or nothing."""
        self.control.settimeout(_IMPORT_SECONDS)
        try:
            keeper.send(self.control, {"script": list(self.script[1:]), "folder": str(self.folder)})
            answer = keeper.receive(self.control, bytearray())
        except TimeoutError:
            return f"importing ahead took more than {_IMPORT_SECONDS:.0f} s"
        except ConnectionError:
            answer = None
        self.control.settimeout(None)
        return "the process that imports ahead ended" if answer is None else answer["refusal"]

    def _fits(self, launch: Launch) -> bool:
        common = {name: value for name, value in launch.environment.items() if name not in self.per_run}
        same_script = tuple(launch.arguments[: len(self.script)]) == self.script
        return same_script and launch.folder == self.folder and common == self.environment


def _script(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> list[str] | str:
    """The part of the command that names the script; or why it cannot be run by a fork."""
    if len(arguments) < 2:
        return f"{' '.join(arguments)!r} runs no Python script"
    program, first = arguments[:2]
    found = shutil.which(program, path=environment.get("PATH"))
    here = Path(sys.executable)
    if found is None or not _is_this_python(Path(found), here):
        return f"{program!r} is not the Python that runs the sweep"
    if first == "-m" and len(arguments) > 2:
        return list(arguments[:3])
    if first.endswith(".py") and is_file(folder / first):
        return list(arguments[:2])
    return f"{program} {first!r}: neither a script of the project nor -m MODULE"


def _is_this_python(found: Path, here: Path) -> bool:
    """The same interpreter in the same environment: links to it stand side by side in one folder."""
    return found.resolve() == here.resolve() and found.parent.resolve() == here.parent.resolve()
