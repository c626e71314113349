"""A sweep's replicates in Weights & Biases too: read from the record, in a process beside the sweep.

What is mirrored is what MLflow has of a replicate that has ended, so a mirror can neither stop a training nor change a
number, and shows what the record shows: a worker that has lost its trial cannot write here either.
"""
