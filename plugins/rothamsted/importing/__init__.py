"""Import runs of other tools into MLflow: a source reads them, and one writer writes them."""
