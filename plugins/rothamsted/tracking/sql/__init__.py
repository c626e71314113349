"""Read and write MLflow's tables by SQL."""
