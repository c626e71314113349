"""EXPERIMENT_LOG.md: a section a sweep, with what was asked, what was changed, what came out and what was learned."""
