"""Pages: the report, the comparison, and what both need to be one self-contained HTML file."""
