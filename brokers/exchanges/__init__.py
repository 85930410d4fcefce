"""Trade at exchanges that the library ccxt knows, as far as it was seen to send what is meant.

The library is optional and imported when the first account that needs it is opened. What it sends is checked
on its way out: an order that does not carry what it must is not sent.
"""
