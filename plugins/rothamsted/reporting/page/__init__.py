"""Write pages: the report and the comparison, each one self-contained HTML file."""
