"""Who has the line: one till client at a time, the others wait unread.

Owns: the clients and whose turn it is. Never: polls or reads. A client keeps the line until it closes, or until it is
quiet at a document's boundary while another one has something to say: a till that holds port 9100 open for days must
not lock out the second one, and two receipts must never be mixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.base import Port

CLIENTS_MAX = 8  # accepted; more wait in the listener's backlog
QUIET_S = 1.0  # silence at a boundary before another client may take over: longer than between copies of a receipt


class Clients:
    """Accepted till connections."""

    def __init__(self) -> None:
        self.owner: Port | None = None
        self.parked: list[Port] = []
        self.ended = False  # the owner has finished sending, and still reads

    @property
    def full(self) -> bool:
        """No more are accepted."""
        return len(self.parked) + (self.owner is not None) >= CLIENTS_MAX

    def arrive(self, port: Port) -> bool:
        """A new client; True when it has the line at once."""
        if self.owner is None:
            self.owner, self.ended = port, False
            return True
        self.parked.append(port)
        return False

    def take_over(self, port: Port) -> None:
        """A parked client has something to say and the owner is quiet at a boundary."""
        self.parked.remove(port)
        if self.owner is not None:
            self.parked.append(self.owner)
        self.owner, self.ended = port, False

    def leave(self, port: Port) -> None:
        """A client has gone; the line is free if it was the owner."""
        if port is self.owner:
            self.owner, self.ended = None, False
        elif port in self.parked:
            self.parked.remove(port)
