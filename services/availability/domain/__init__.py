"""How many may a channel sell: the formula with its terms, pure."""
