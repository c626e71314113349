"""What a sweep is taken away as: tidy tables, a copy of the search, and what a paper needs."""
