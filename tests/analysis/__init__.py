"""From runs in a store to an analysis, and back to the store."""
