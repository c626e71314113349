"""Study the Global Workspace: does a synergy prior help, and at what width of the workspace?

Importing any part of it sets how JAX runs, before JAX starts its backend (`training.jax_settings`).
"""

from projects.training.jax_settings import apply_jax_settings

apply_jax_settings()
