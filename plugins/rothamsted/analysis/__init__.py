"""Turn runs of a tracking store into summaries, comparisons and tables.

Any set of MLflow runs can be analysed, whatever logged them.
"""
