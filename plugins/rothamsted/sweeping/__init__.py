"""Run sweeps: plan, start or resume, the worker loop, aggregates, progress and results."""
