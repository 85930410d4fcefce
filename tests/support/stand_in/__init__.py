"""Venues on loopback sockets: one server, one matching engine, and a file of field names per venue."""
