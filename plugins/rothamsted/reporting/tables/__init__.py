"""Make the tables of a report, for pages and as CSV."""
