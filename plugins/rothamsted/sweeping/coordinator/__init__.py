"""The one process that decides: it adds work, watches the workers, and writes the sweep's own run."""
