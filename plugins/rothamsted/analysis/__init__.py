"""From runs in a tracking store to summaries, comparisons and tables.

Any set of MLflow runs can be analysed, whoever logged it.
"""
