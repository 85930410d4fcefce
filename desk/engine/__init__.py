"""Run the one desk thread: take events in, commit once, hand calls out. It never talks to a network."""
