"""Talk to brokers from threads; every answer comes back to the engine as an event. It decides nothing."""
