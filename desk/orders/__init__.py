"""Hold one instrument on one account: positions, orders, the next step, what happened. Pure."""
