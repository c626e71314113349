"""Find what this operating system can do beyond POSIX; without it the ways of every Unix are used.

Only Linux can keep all processes from being left behind, and only there a fork after imports is safe.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rothamsted.errors import UserError

PORTABLE = "ROTHAMSTED_PORTABLE"  # "1": Linux's own ways are not used, so that tests on Linux can prove the others


@dataclass(frozen=True, kw_only=True)
class System:
    """Describes one operating system.

    Attributes:
        name: as Python's `sys.platform` has it, for messages.
        keeps_orphans: prctl(2), /proc and pidfd: a process becomes the ancestor of all that its command starts, and
            its own death is the command's.
        forks_after_imports: a process that has imported libraries may fork.
    """

    name: str
    keeps_orphans: bool
    forks_after_imports: bool


@cache
def this_system() -> System:
    """Say what the system of this process can do.

    Raises:
        UserError: it is no Unix.
    """
    if os.name != "posix":
        raise UserError(
            f"workers and commands run on Linux and macOS, not on {sys.platform}; run the sweep there or in WSL"
        )
    is_portable = os.environ.get(PORTABLE) == "1"
    is_linux = sys.platform.startswith("linux") and not is_portable
    has_all = is_linux and hasattr(ctypes.CDLL(None), "prctl") and hasattr(os, "pidfd_open")
    return System(
        name=f"{sys.platform} without its own ways ({PORTABLE})" if is_portable else sys.platform,
        keeps_orphans=has_all and Path("/proc/self/stat").exists(),
        forks_after_imports=is_linux and Path("/proc/self/task").exists(),
    )
