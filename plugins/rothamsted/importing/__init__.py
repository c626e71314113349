"""Runs that other tools have recorded, brought into MLflow: a source reads them, one writer keeps them."""
