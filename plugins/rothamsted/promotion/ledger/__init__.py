"""What is written of a decision: registry changes, their history, texts, rollback."""
