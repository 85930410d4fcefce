"""Say what an alert means: an exit, an entry or a denial. Pure: no clock, no thread, no file, no venue."""
