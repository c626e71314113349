"""The console script: the same program that MLproject's entry points call."""
