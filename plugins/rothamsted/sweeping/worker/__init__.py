"""Work on a sweep: claim trials, train their replicates, write results to the search."""
