"""What trainings of several studies have in common: kept weights, states that fit, when to measure, how JAX runs.

It is no study: it has no config, no entry point and no loop of its own. A logged model carries it with its study.
"""
