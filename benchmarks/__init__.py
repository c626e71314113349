"""What the engine costs: run by hand, `python -m benchmarks.overhead`, never by the tests for a verdict on time.

A time depends on the machine: tests hold that these programs run, people read what
they print. How to run each, and what each measures, is in README.md beside this file.
"""
