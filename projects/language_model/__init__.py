"""Study language models: a small decoder-only transformer on short stories, with its ablations."""
