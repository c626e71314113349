"""Tables of a report, as pages and as CSV."""
