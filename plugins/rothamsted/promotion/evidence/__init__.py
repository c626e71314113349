"""What a decision rests on: the confirmed winner, the champion, and a contest on shared seeds."""
