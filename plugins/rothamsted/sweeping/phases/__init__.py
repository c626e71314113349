"""Define the phases of a sweep: each turns the data so far into the next step."""
