"""Write decisions down: registry changes, their history, texts, rollback."""
