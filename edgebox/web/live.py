"""What is new, told to open pages at once: server-sent events.

Owns: who listens, and what they have not heard yet. Never: more for one listener than one event of each name: a page
that is slow hears the newest, and fetches what it shows. Nothing secret goes this way: an event is a name and an id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from edgebox.web.refusals import refused

BEAT_S = 15.0  # a sign of life: middle boxes and phones drop what is silent for 30 s
GAP_S = 0.25  # between two tellings to one page: a till that prints ten tickets at once makes one fetch of it
EVENTS = ("receipt", "health", "scan")  # what parts of pages listen for; others may be told, too
ID_MAX = 64


class Hub:
    """`listeners_max`: as [web] browsers_max; one more is refused and counted."""

    def __init__(self, listeners_max: int) -> None:
        self.refused = 0
        self._max = listeners_max
        self._listeners: set[_Listener] = set()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def tell(self, event: str, value: object = "") -> None:
        """All open pages hear of it, soon. `value`: a short id. On the loop's thread; costs nothing without pages."""
        for listener in self._listeners:
            listener.hear(event, str(value)[:ID_MAX])

    @contextlib.contextmanager
    def _listening(self) -> Iterator[_Listener]:
        if len(self._listeners) >= self._max:
            self.refused += 1
            raise refused("too_many")
        listener = _Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def check_room(self) -> None:
        """PageError `too_many`: no further page may listen."""
        if len(self._listeners) >= self._max:
            self.refused += 1
            raise refused("too_many")

    async def stream(self, is_alive: Callable[[], bool]) -> AsyncIterator[bytes]:
        """What one page is sent, until it goes, or `is_alive` says at a beat that it may not hear more."""
        with self._listening() as listener:
            yield b"retry: 3000\n\n"  # ms until a browser asks again
            while is_alive() and not self._is_closed:
                for event, value in await listener.news(BEAT_S):
                    yield f"event: {event}\ndata: {value}\n\n".encode()
                yield b": beat\n\n"
            if not self._is_closed:  # a page that hears this does not come back
                yield b"event: over\ndata:\n\n"

    def close(self) -> None:
        """Nobody is told anything more: open pages end, and try again later."""
        self._is_closed = True
        for listener in self._listeners:
            listener.close()


class _Listener:
    def __init__(self) -> None:
        self._unheard: dict[str, str] = {}
        self._wake = asyncio.Event()

    def hear(self, event: str, value: str) -> None:
        self._unheard[event] = "".join(char for char in value if char.isprintable())
        self._wake.set()

    def close(self) -> None:
        self._wake.set()

    async def news(self, within_s: float) -> list[tuple[str, str]]:
        """What has come; nothing after that time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), within_s)
        if self._unheard:
            await asyncio.sleep(GAP_S)
        self._wake.clear()
        news, self._unheard = self._unheard, {}
        return list(news.items())
