"""Runs of Weights & Biases: from its server, or from the folders that its package leaves."""
