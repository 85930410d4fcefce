"""One request for a venue, as it leaves the desk thread."""

from __future__ import annotations

from dataclasses import dataclass

from brokers.protocol import OrderRequest
from desk.state.tables import Key


@dataclass(frozen=True, slots=True)
class VenueCall:
    """One request for a venue, as it leaves the desk thread."""

    key: Key
    what: str
    """place, cancel, amend or look."""
    request: OrderRequest
    partner: OrderRequest | None = None
    """The other order of a pair that the venue links."""
    at: int = 0
    """When it was handed out."""

    @property
    def is_urgent(self) -> bool:
        """Whether it makes a position smaller or clearer: such calls leave first."""
        return self.what != "place" or self.request.reduces
