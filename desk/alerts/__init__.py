"""Follow one alert from its delivery until everything it caused is final, and write its answer."""
