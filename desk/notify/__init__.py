"""Tell people what the desk recorded, over services that Apprise knows. It changes and trades nothing."""
