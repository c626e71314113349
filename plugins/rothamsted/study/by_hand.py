ByHand = main = run_by_hand = None
