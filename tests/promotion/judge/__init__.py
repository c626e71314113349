"""From a policy and numbers to a decision."""
