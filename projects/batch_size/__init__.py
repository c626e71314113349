"""The study of batch size: MLPs across width, learning rate, feature-learning strength and batch.

Importing any part of it settles how JAX runs, before JAX starts its backend (`jax_settings`).
"""

from projects.batch_size.jax_settings import apply_jax_settings

apply_jax_settings()
