"""One epoll and who is called for which descriptor.

Owns: what is registered. Never: a policy. A descriptor that nobody wants to read or write is taken out whole: left in
with no events, a peer's hang-up would wake the loop for ever.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Protocol

READ, WRITE, HANG_UP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP
Handler = Callable[[int], None]


class Pollable(Protocol):
    """Something with a descriptor."""

    def fileno(self) -> int:
        """The descriptor; -1 when there is none."""
        ...


class Poll:
    """Registers descriptors; `handlers` is read by the loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._events: dict[int, int] = {}
        self.handlers: dict[int, Handler] = {}
        self.wait = self._epoll.poll

    def watch(self, thing: Pollable | int, events: int, handler: Handler) -> None:
        """Calls `handler(events)` when there is something; no events: takes it out."""
        descriptor = thing if isinstance(thing, int) else thing.fileno()
        known = self._events.get(descriptor)
        if not events:
            self.forget(descriptor)
            return
        self.handlers[descriptor] = handler
        if known is None:
            self._epoll.register(descriptor, events)
        elif known != events:
            self._epoll.modify(descriptor, events)
        self._events[descriptor] = events

    def forget(self, thing: Pollable | int) -> None:
        """Takes a descriptor out; one that is not in is no fault."""
        descriptor = thing if isinstance(thing, int) else thing.fileno()
        if self._events.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)
            del self.handlers[descriptor]

    def close(self) -> None:
        """No more."""
        self._epoll.close()
