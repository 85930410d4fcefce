"""Hold TradingView's own records against ours: which alerts arrived, what they did, which trades we missed.

Files and what we recorded go in as plain values, findings come out. It opens no state, records nothing and
trades nothing.
"""
