"""Copy a sweep's replicates to Weights & Biases, from the record, in a process beside the sweep.

Only ended replicates are copied, as MLflow has them. So a mirror cannot stop a training or change a number, and a
worker that has lost its trial cannot write here either.
"""
