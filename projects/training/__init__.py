"""What trainings of several studies have in common: batches, the loop of a population, kept weights, states, JAX.

It is no study: it has no config and no entry point. A logged model carries it with its study.
"""
