"""The phases of a sweep: from the data so far to the next step."""
