"""The language-model study: a small decoder-only transformer on short stories, with its ablations."""
