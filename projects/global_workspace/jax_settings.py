"""How JAX runs in this study: one thread a training, and compiled functions kept between processes.

Apart, and free of JAX itself, because JAX reads these settings when it is imported. In this package, because a
logged model carries its study's folder and nothing of another.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

# One thread a training: sums are cut the same way however many workers share the machine, so numbers do not
# depend on them, and two workers on two cores do not fight for the cores.
_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"


def apply_jax_settings(environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what the user has not set: XLA's threads and JAX's persistent compilation cache.

    Args:
        environ: The environment that JAX will read. A `JAX_COMPILATION_CACHE_DIR`, and an `XLA_FLAGS` that names
            `--xla_cpu_multi_thread_eigen`, are left as they are.
    """
    flags = environ.get("XLA_FLAGS", "")
    if "--xla_cpu_multi_thread_eigen" not in flags:
        environ["XLA_FLAGS"] = f"{flags} {_ONE_THREAD}".strip()
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rothamsted" / "jax"
    environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    if "jax" in sys.modules and environ is os.environ:  # it has read its environment already
        import jax

        jax.config.update("jax_compilation_cache_dir", environ["JAX_COMPILATION_CACHE_DIR"])
        seconds = float(environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"])
        jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
