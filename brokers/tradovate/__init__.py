"""Trade futures at Tradovate: token, contracts, orders and what became of them. It knows no other venue."""
