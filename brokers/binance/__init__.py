"""Trade at Binance: a file a market, and what its markets share. Nothing here is known to the desk."""
