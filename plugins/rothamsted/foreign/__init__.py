"""Strangers' MLflow projects, run as processes: started, watched, ended, and their objective read.

Apart from executors, which place this project's own workers: what runs here knows nothing of the engine.
Nothing is imported here, because a pre-imported process (`zygote`) starts from this package and must stay bare.
"""
