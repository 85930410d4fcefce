"""Figures of closed trades, counted one trade at a time. Pure: it reads no clock, no file and no price."""
