"""Train runs again as they were recorded, and say whether they gave the same."""
