"""Hold what the desk knows, in memory and in the file behind it. It never says what an alert means."""
