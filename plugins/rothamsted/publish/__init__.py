"""What an analysis leaves behind: numbers and tables on runs, descriptions, and the report.

Apart from analysis and report, which know values only: here they are read from a store and written to it.
"""
