"""Read the evidence of a decision: the confirmed winner, the champion, and a contest on common seeds."""
