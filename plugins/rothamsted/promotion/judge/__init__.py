"""From a policy and numbers to a decision, with no store behind it."""
