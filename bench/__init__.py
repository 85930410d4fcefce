"""The benchmarks: what an alert costs here, measured and held against targets.

Command: `make bench`.
"""
