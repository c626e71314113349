"""Log trained models to MLflow."""
