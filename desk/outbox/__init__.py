"""Send on what is recorded, each receiver at its own pace. It never makes the desk wait, and decides nothing.

What is to be sent stands in the record already, numbered in the order in which it was committed. So a queue
is a place in the record: a receiver's `Place` says up to which number it has taken everything.

- `Outbox(name, source, deliver, place, clock)` is one receiver. `source(after, limit)` returns entries with
  a higher number, oldest first; `source.newest()` the highest number there is. `deliver(entries)` sends them
  as one, and raises `NotDelivered` with a sentence where they must be sent again.
- `start()` runs it in a thread of its own, `wake()` says that something was recorded, `end()` ends it.
- `trouble` says since when and why nothing is taken, `dropped` how many were left out.
- A kill between a delivery and the note of it sends that one again: at least once, in order.
"""
