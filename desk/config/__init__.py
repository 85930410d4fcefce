"""Turn config.yaml, .env and the command line into frozen settings, or into one list of mistakes."""
