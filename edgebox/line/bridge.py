"""The bypass relay: when the box stands in the wire, and when till and printer are joined past it.

Owns: when the relay's heartbeat beats, and where that leaves the box. Never: the pin (drivers/bypass_relay.py), or the
bytes. The relay is a watchdog: it holds the box in the wire for as long as edges come, and falls back when they stop,
whatever the reason (hang, crash, no power). So silence is the only thing that needs no program to work.

The edges are the loop's own progress: a turn that doesn't come gives none. A line that is started anew within HOLDS_S
finds the relay still in, and goes on; one that comes later, or whose printer was away, is out of the wire, and what
it hears then is on paper already: it comes in when the till is silent. A line that stood still for longer than the
relay holds is such a one; where it may just hold, it goes on: a line printed twice is better than one that is missing.
A line that dies again and again stays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

EDGE_S = 0.2  # between edges: three may miss before the relay lets go
HOLDS_S = 0.7  # so long after an edge the relay surely holds; docs/install.md asks for 0.8 to 1.2 s of the relay
FALLS_S = 1.5  # so long after the last it has surely let go
PULLS_S = 0.3  # from the first edge until it has surely pulled in: the edge itself, 10 ms of coil, 5 ms of bounce
QUIET_S = 1.0  # silence of the till before the box comes in: longer than between copies of a receipt
PATIENCE_S = 10.0  # a till that is never silent (it asks for the printer's state) is not waited for any longer
LISTEN_S = 0.2  # out of the wire, the till is listened to so often
STARTS_MAX, STARTS_S = 5, 60.0  # a line that began anew so often in so long is ill, and stays out for as long
NEVER = float("-inf")


class Place(Enum):
    """Where the box is."""

    OUT = "out"  # till and printer are joined, or nearly so
    COMING = "coming"  # edges go out, the relay pulls in
    IN = "in"


class Bridge:
    """One relay. Times: seconds of the monotonic clock, which a process before this one shared.

    `last_edge`: of any process before; `starts`: of the line, with this one.
    """

    def __init__(self, now: float, last_edge: float = NEVER, starts: Sequence[float] = ()) -> None:
        self.place = Place.OUT
        self._edge_at = last_edge if last_edge <= now else NEVER  # of another boot, else
        self._since = now  # when it came to this place
        self._heard_at = NEVER
        self._ready_at = NEVER  # since when both cables are open
        self._leaves = False
        lately = [at for at in starts if now - STARTS_S < at <= now]
        self._ill_until = now + STARTS_S if len(lately) >= STARTS_MAX else NEVER

    @property
    def is_ill(self) -> bool:
        """The line has been started so often that it stays out for a while."""
        return self._ill_until != NEVER

    @property
    def is_leaving(self) -> bool:
        """It was asked to, and the relay has not let go yet."""
        return self._leaves and self.place is not Place.OUT

    def holds(self, now: float) -> bool:
        """An edge is so young that the relay is in, whoever gave it: what the till sends comes to us alone."""
        return now < self._edge_at + HOLDS_S

    def leave(self) -> None:
        """Out of the wire at the next rest, and for good."""
        self._leaves = True

    def heard(self, now: float) -> None:
        """Out of the wire: the till printed past the box."""
        self._heard_at = now

    def beaten(self, now: float) -> None:
        """The edge that was due has gone out."""
        self._edge_at = now

    def failed(self, now: float) -> None:
        """The pin can't be had: no edge has gone out, and soon the relay lets go."""
        self._edge_at = min(self._edge_at, now - HOLDS_S)
        self._out(now)

    def turn(self, now: float, *, ready: bool, at_rest: bool) -> bool:
        """True: an edge is due, now; then `beaten` or `failed`. `ready`: both cables are open.

        `at_rest`: no document is on its way.
        """
        if self.place is Place.OUT:
            return self._come(now, ready)  # at once: a relay that is still in may be about to let go
        if not ready or now >= self._edge_at + FALLS_S:
            self._out(now)  # the second: the loop stood still, or it leaves; the relay has let go
            return False
        if self.place is Place.COMING and now >= self._since + PULLS_S:
            self._move(Place.IN, now)
        if self._leaves and (at_rest or not self.holds(now)):
            return False  # also of a receipt that began as the relay fell: an edge now would tear it
        return now >= self._edge_at + EDGE_S

    def next_at(self, now: float) -> float:
        """When `turn` has something to do."""
        if self.place is Place.OUT:
            return now + LISTEN_S
        if self._leaves:
            return now + EDGE_S
        return self._edge_at + EDGE_S

    def _come(self, now: float, ready: bool) -> bool:
        if self._leaves or not ready:
            self._ready_at = NEVER
            return False
        if self._ready_at == NEVER:
            self._ready_at = now
        if now < self._ill_until:
            return False
        if self.holds(now):
            self._move(Place.IN, now)
            return True
        if now < self._edge_at + FALLS_S or not self._is_quiet(now):
            return False
        self._ill_until = NEVER
        self._move(Place.COMING, now)
        return True

    def _is_quiet(self, now: float) -> bool:
        return now >= max(self._heard_at, self._ready_at) + QUIET_S or now >= self._ready_at + PATIENCE_S

    def _out(self, now: float) -> None:
        self._move(Place.OUT, now)
        self._ready_at = NEVER

    def _move(self, place: Place, now: float) -> None:
        self.place, self._since = place, now
