"""Everything between an alert and an order: the desk decides, and nobody else does."""
