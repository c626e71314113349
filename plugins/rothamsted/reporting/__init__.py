"""Draw plots and write the report: from an analysis to pictures and one self-contained page.

The report sees values of the analysis only: it reads no store and computes no statistics of its own.
"""
