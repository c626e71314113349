"""Share training code between studies: batches, the loop of a population, kept weights, states, JAX.

It is not a study: it has no config and no entry point. A logged model includes it with its study.
"""
