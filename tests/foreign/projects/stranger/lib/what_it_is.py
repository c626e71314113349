"""Prints what a process can see of itself; then ends as its first argument says."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    main_module = sys.modules["__main__"]
    seen = {
        "argv": sys.argv,
        "name": __name__,
        "file": __file__,
        "path": sys.path,
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "executable": sys.executable,
        "orig_argv": sys.orig_argv,
        "spec": getattr(main_module.__spec__, "name", None),
        "main": main_module.__file__,
        "package": __package__,
        "leads_a_session": os.getsid(0) == os.getpid(),
        "stdin": sys.stdin.read(),
        "encoding": sys.stdout.encoding,
        "engine": [name for name in sys.modules if name.startswith("rothamsted") and "finder" not in name],
        "size": np.zeros(3).size,
    }
    print(json.dumps(seen))
    how = sys.argv[1]
    if how == "exit 3":
        sys.exit(3)
    if how == "exit text":
        sys.exit("some text")
    if how == "raise":
        raise ValueError("its last words")
    if how == "kill":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
