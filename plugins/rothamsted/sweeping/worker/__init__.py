"""A worker: claim trials, train their replicates, tell the search."""
