"""Open foreign MLflow projects: fetch them, and make the commands of their entry points."""
