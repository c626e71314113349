"""The Global Workspace study: does a synergy prior help, and at what width of the workspace?

Importing any part of it settles how JAX runs, before JAX starts its backend (`jax_settings`).
"""

from projects.global_workspace.jax_settings import apply_jax_settings

apply_jax_settings()
