"""Write EXPERIMENT_LOG.md: a section for each sweep with question, changes, result and what was learned."""
