"""How JAX is set up, and that what the user has set stays."""

import os
import subprocess
import sys
from pathlib import Path

from projects.training.jax_settings import ONE_THREAD_FLAG, apply_jax_settings, default_cache_folder

ROOT = Path(__file__).parents[3]


def test_other_xla_flags_are_kept() -> None:
    environ = {"XLA_FLAGS": "--xla_dump_to=here"}
    apply_jax_settings(environ)
    assert environ["XLA_FLAGS"] == f"--xla_dump_to=here {ONE_THREAD_FLAG}"


def test_a_choice_of_threads_is_kept() -> None:
    environ = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true"}
    apply_jax_settings(environ)
    assert environ["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=true"


def test_a_choice_of_cache_folder_is_kept() -> None:
    environ = {"JAX_COMPILATION_CACHE_DIR": "elsewhere"}
    apply_jax_settings(environ)
    assert environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"


def test_the_default_cache_is_in_the_users_cache_folder() -> None:
    assert default_cache_folder({"XDG_CACHE_HOME": "caches"}) == Path("caches/rothamsted/jax")


def test_a_training_fills_the_compilation_cache(tmp_path: Path) -> None:
    program = (
        "from projects.batch_size.config import Config; from projects.batch_size.train import train; "
        "next(train([Config(width=8, steps=1, evals=1)]))"
    )
    environ = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=ROOT)
    assert any(path.name.startswith("jit_advance") for path in tmp_path.iterdir())


def test_a_config_is_read_without_importing_jax() -> None:
    program = "import sys, projects.batch_size.config; sys.exit('jax' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=ROOT)
