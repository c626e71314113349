"""Run the process that has imported what a script imports, and forks a child for each run of it.

It is started by `python -m rothamsted.foreign.zygote FD`. It must stay bare, compute nothing and run no code of the
project, so that a child is like a fresh process after the same imports.

Forking is safe where no thread is lost by it. Measured after importing (two cores, 2026): numpy and scipy leave
OpenBLAS threads, pyarrow (so pandas, sklearn, mlflow) a `jemalloc_bg_thd`, torch and jax none. OpenBLAS ends its
threads in its own handler before a fork and starts them again on need; jemalloc takes its locks and begins
anew. So the zygote forks once for a rehearsal and counts what is left: the main thread and jemalloc's may be, any
other (an OpenMP or XLA pool after a computation, a Python thread) makes it refuse. Both facts are asked of the
system each time, not of a list of libraries.

What differs from a fresh process: with PYTHONHASHSEED unset, the children of one zygote share its secret of string
hashing, which two fresh processes do not; and an identifier that a library draws while it is imported is the same
in all of them. The global generators of numpy and torch, which their imports seed from the system, are seeded from
the system anew in each child, as `random` does by itself. `mlflow.data.from_polars` is left out of what is imported
ahead: with polars installed MLflow imports it for that alone, and polars (2.1) starts a thread as it is imported. Who
imports polars starts cold; `from mlflow.data.polars_dataset import from_polars` works in any case.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import runpy
import signal
import socket
import sys
import types
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from rothamsted.foreign import keeper
from rothamsted.foreign.imports import Import, imports_of_file, imports_of_module, is_within
from rothamsted.threads_left import threads_left

_NOT_AHEAD = "mlflow.data.polars_dataset"  # MLflow does without what it cannot import there
_ALSO = {"torch": "torch._dynamo"}  # its first use imports it, which takes a second or two


def main() -> None:
    """Import, tell the owner whether forking is safe, then fork for each request until the owner is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    pending = bytearray()
    order = keeper.receive(control, pending)
    if order is None:
        return
    try:
        refusal = _prepare(order["script"], Path(order["folder"]))
    except BaseException as error:
        refusal = f"importing ahead failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    keeper.send(control, {"refusal": refusal})
    if not refusal:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the keepers
        gc.freeze()  # a child need not search what was imported for cycles, which copies its pages
        _serve(control)


def _prepare(script: list[str], folder: Path) -> str:
    """Import what the script imports; why forking is not safe, or nothing."""
    os.chdir(folder)
    folder = folder.resolve()
    if not sys.flags.safe_path:
        sys.path[0] = _first_on_path(script)
    wanted = imports_of_module(script[1], folder) if script[0] == "-m" else imports_of_file(Path(script[0]), folder)
    sys.meta_path.insert(0, left_out := _LeftOut())
    for item in wanted:
        _import(item)
    sys.meta_path.remove(left_out)
    for name, also in _ALSO.items():
        if name in sys.modules:
            importlib.import_module(also)
    return _own_module(folder) or threads_left()


class _LeftOut(MetaPathFinder):
    """Says of one module that it is not there."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """None where another finder is to look."""
        if fullname == _NOT_AHEAD:
            raise ModuleNotFoundError(f"{fullname} is not imported ahead", name=fullname)


def _first_on_path(script: list[str]) -> str:
    """What Python puts first on the path: the folder of a script, the working directory for `-m`."""
    return str(Path.cwd()) if script[0] == "-m" else str(Path(script[0]).resolve().parent)


def _import(item: Import) -> None:
    if item.is_optional and importlib.util.find_spec(item.module.partition(".")[0]) is None:
        return
    __import__(item.module, {}, {}, item.names, 0)


def _own_module(folder: Path) -> str:
    """A package from outside may import a module of the project, which belongs to each run."""
    for name, module in list(sys.modules.items()):
        source = getattr(module, "__file__", None)
        if source and Path(source).is_absolute() and is_within([source], folder):  # torch.ops says "_ops.py"
            return f"importing ahead ran the project's own module {name}"
    return ""


def _serve(control: socket.socket) -> None:
    """Fork a keeper for each channel that the owner sends; returns in the owner's absence and in each child."""
    while True:
        try:
            note, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        except ConnectionError:
            return
        if not note:
            return
        channel = socket.socket(fileno=descriptors[0])
        if os.fork() == 0:
            control.close()
            os.setsid()
            request = keeper.receive(channel, bytearray())
            if request is None:
                os._exit(0)
            keeper.keep(channel, request, _run)
        channel.close()


def _run(request: keeper.Request) -> None:
    """Become the fresh process of a script and end as it would; never returns."""
    os.environ.clear()
    os.environ.update(request["environment"])
    importlib.invalidate_caches()
    _seed_anew()
    program, *script = request["arguments"]
    sys.orig_argv = [program, *script]
    for name in [name for name in sys.modules if name.partition(".")[0] == "rothamsted"]:
        del sys.modules[name]
    os.close(request["started"])
    try:
        if script[0] == "-m":
            _run_module(script)
        else:
            _run_file(script)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        _without_frames_above(error)
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(1) from None
    raise SystemExit(0)


def _seed_anew() -> None:
    """Give this process random numbers of its own where it does not ask for others, as a fresh one has."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def _run_file(script: list[str]) -> None:
    sys.argv = script
    path = str(Path(script[0]).absolute())
    loader = SourceFileLoader("__main__", path)
    code = compile(Path(path).read_bytes(), path, "exec")
    exec(code, _new_main(__file__=path, __cached__=None, __loader__=loader))


def _run_module(script: list[str]) -> None:
    sys.argv = ["-m", *script[2:]]
    _new_main()
    run_as_main: Callable[[str], object] = vars(runpy)["_run_module_as_main"]  # what `python -m` itself calls
    run_as_main(script[1])


def _new_main(**names: Any) -> dict[str, Any]:
    """A new and empty `__main__`."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=sys.modules["builtins"], **names)
    sys.modules["__main__"] = module
    return module.__dict__


def _without_frames_above(error: BaseException) -> None:
    """Begin the traceback where a fresh process begins it: without the frames of this file."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    error.__traceback__ = traceback


if __name__ == "__main__":
    main()
