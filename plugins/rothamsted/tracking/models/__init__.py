"""Models as files of MLflow."""
