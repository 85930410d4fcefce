"""Name things: the same alert or a new one, and what an order is called at a venue.

Pure. Names are hashes of what caused them, so that a crash cannot change them; nothing here looks
anything up or decides what a duplicate is answered.
"""

from __future__ import annotations

import hashlib

BORN_LENGTH = 11
"""The hexadecimal digits of a time in milliseconds, until the year 2527."""


def new_alert_id(now: int, chance: int) -> str:
    """Return an id of ours for one delivery; it starts with the time so that ids sort as they came.

    `chance` are 32 random bits, so that two receivers on one account never name an order alike.
    """
    return f"alert_{now:x}{chance:08x}"


def digest(strategy: str, body: bytes, place: int) -> bytes:
    """Return what tells whether two alerts are the same one.

    Strategy, bytes and place in an array must agree. A key in the body is part of the bytes, so it never
    makes two different bodies one alert.
    """
    mark = hashlib.blake2b(digest_size=16)
    for part in (strategy.encode(), str(place).encode(), body):
        mark.update(len(part).to_bytes(4, "big"))
        mark.update(part)
    return mark.digest()


def client_order_id(cause: str, account: str, paper: bool, leg: str, attempt: int) -> str:
    """Return the name of an order at a venue: at most 32 characters of `[A-Za-z0-9_-]`.

    The same cause, account, leg and attempt always give the same name, so what may have been sent can be
    looked up after a crash. The time of the cause stands before the hash: names that sort as they came keep
    the store's indices writing at one end, not all over.
    """
    text = f"{cause}\0{account}\0{paper}\0{leg}\0{attempt}".encode()
    born = cause.partition("_")[2][:BORN_LENGTH]
    return f"tv-{born}{hashlib.blake2b(text, digest_size=8).hexdigest()}"
