"""Bybit's unified account (v5): spot pairs and the perpetuals that settle in USDT."""
