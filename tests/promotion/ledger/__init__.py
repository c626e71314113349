"""What is written of a decision."""
