"""Read runs of Weights & Biases: from its server, or from the folders of its package."""
