"""Say what a symbol is and which contract it means. Pure: no venue is asked here."""
