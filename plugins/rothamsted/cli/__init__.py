"""Run the console script, which MLproject's entry points call too."""
