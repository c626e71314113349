"""Export a sweep: tidy tables, a copy of the search, and what a paper needs."""
