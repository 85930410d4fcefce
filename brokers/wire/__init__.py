"""Make one bounded call to a venue and say what its answer means. It knows no order and no symbol."""
