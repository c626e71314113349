"""Read and change MLflow's model registry."""
