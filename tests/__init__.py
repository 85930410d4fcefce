"""What the receiver promises, one test a promise."""
