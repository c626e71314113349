"""Study batch size: MLPs across width, learning rate, feature-learning strength and batch.

Importing any part of it sets how JAX runs, before JAX starts its backend (`training.jax_settings`).
"""

from projects.training.jax_settings import apply_jax_settings

apply_jax_settings()
