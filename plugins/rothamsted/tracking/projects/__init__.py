"""MLflow projects of others: where they are, and the commands of their entry points."""
