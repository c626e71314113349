"""Run foreign MLflow projects as processes: start, follow and end them, and read their objective.

Nothing is imported here, because a pre-imported process (`zygote`) starts from this package and must stay bare.
"""
