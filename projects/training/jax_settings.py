"""Set how JAX runs in a study: one thread for each training, and compiled functions kept between processes.

It does not import JAX, because JAX reads these settings when it is imported and when its backend starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

# One thread a training: sums are cut the same way however many workers share the machine, so numbers do not
# depend on them, and two workers on two cores do not fight for the cores.
ONE_THREAD_FLAG = "--xla_cpu_multi_thread_eigen=false"


def apply_jax_settings(environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what the user has not set: XLA's threads and JAX's persistent compilation cache.

    Args:
        environ: The environment that JAX will read. `JAX_COMPILATION_CACHE_DIR` and an `XLA_FLAGS` that
            already names `--xla_cpu_multi_thread_eigen` are left as they are.
    """
    flags = environ.get("XLA_FLAGS", "")
    if "--xla_cpu_multi_thread_eigen" not in flags:
        environ["XLA_FLAGS"] = f"{flags} {ONE_THREAD_FLAG}".strip()
    environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(default_cache_folder(environ)))
    environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    if "jax" in sys.modules and environ is os.environ:  # imported before us: it has read its environment already
        _update_imported_jax(environ)


def default_cache_folder(environ: MutableMapping[str, str]) -> Path:
    """Say where compiled functions are kept when nobody says otherwise: in the user's cache folder."""
    user_cache = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(user_cache) / "rothamsted" / "jax"


def _update_imported_jax(environ: MutableMapping[str, str]) -> None:
    import jax

    jax.config.update("jax_compilation_cache_dir", environ["JAX_COMPILATION_CACHE_DIR"])
    seconds = float(environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
