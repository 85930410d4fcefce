"""Trade equities and futures at Tastytrade: token, instruments, orders. It knows no other venue."""
