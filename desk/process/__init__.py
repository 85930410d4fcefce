"""Look after the process around the desk: its log, its lock, its port and its first words."""
