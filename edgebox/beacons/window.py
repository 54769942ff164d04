"""A window on the beacons of a running box: a Unix socket that tells the table each second, and one tag's frames.

Owns: the words on the socket: JSON, one object a line. Never: takes a change: who looks through a window moves nothing.

To whoever connects: a `Table` each second. To whoever sends `hear UUID:MAJOR:MINOR` and a line end, besides that, each
frame of that tag as a `Frame`. A reader who does not keep up misses lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgebox.beacons.heard import Heard, TagKey
from edgebox.beacons.watch import LISTENERS_MAX, BeaconWatch, Row
from edgebox.sockets import Doorway
from edgebox.store.store import Store

NAME = "beacons.sock"  # beside the engine's own
EVERY_S = 1.0
BEHIND_BYTES = 64 << 10  # of a reader who does not keep up
LINE_MAX = 256  # of what is sent here
TABLE_MAX = 1 << 20  # of what is sent to a reader, in a line: 2,500 tags in four zones each are 650 KB


class Table(msgspec.Struct, frozen=True, tag="table"):
    """One look. `state`: what the radio waits for, "": it listens."""

    rows: list[Row]
    state: str = ""


class Frame(msgspec.Struct, frozen=True, tag="frame"):
    """One advertisement of the tag that was asked for."""

    rssi: int
    power: int


class Window:
    """A part of the engine, behind the watch. `state`: of the radio, in words."""

    def __init__(self, socket: Path, watch: BeaconWatch, *, group: bool = False) -> None:
        self.state: Callable[[], str] = lambda: ""
        self.watch = watch
        self.sessions: set[Session] = set()
        self._doorway = Doorway(socket.with_name(NAME), group=group, setting="[engine] socket")
        self._task: asyncio.Task[None] | None = None

    async def open(self, store: Store) -> None:
        """Listens. ConfigError `bad_socket`."""
        await self._doorway.open(lambda: Session(self))
        self._task = asyncio.create_task(self._tell())

    async def look(self) -> None:
        """Nothing to look after."""

    async def stop(self) -> None:
        """Everybody is sent away."""
        if self._task is not None:
            self._task.cancel()
        self._doorway.close()
        for session in list(self.sessions):
            session.close()
        await self._doorway.closed()

    def table(self) -> Table:
        """Now."""
        return Table(self.watch.rows(), self.state())

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if self.sessions:
                line = msgspec.json.encode(self.table()) + b"\n"
                for session in list(self.sessions):
                    session.write(line)


class Session(asyncio.Protocol):
    """One who looks."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._transport: asyncio.Transport | None = None
        self._key: TagKey | None = None
        self._line = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Gets the table at once; one too many is sent away."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._window.sessions) >= LISTENERS_MAX:
            transport.close()
            return
        self._window.sessions.add(self)
        self.write(msgspec.json.encode(self._window.table()) + b"\n")

    def data_received(self, data: bytes) -> None:
        """`hear KEY`; anything else ends it."""
        self._line += data
        if b"\n" not in self._line and len(self._line) <= LINE_MAX:
            return
        line, _, self._line = self._line.partition(b"\n")
        try:
            word, _, name = line.decode("ascii").strip().partition(" ")
            key = TagKey.from_text(name)
        except ValueError:
            self.close()
            return
        if word != "hear" or self._key is not None:
            self.close()
            return
        self._key = key
        self._window.watch.want(key, wanted=True)
        self._window.watch.listeners.append(self._heard)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has seen enough."""
        self._transport = None
        self._window.sessions.discard(self)
        if self._key is not None:
            self._window.watch.listeners.remove(self._heard)
            self._window.watch.want(self._key, wanted=False)

    def close(self) -> None:
        """Sends it away."""
        if self._transport is not None:
            self._transport.close()

    def write(self, line: bytes) -> None:
        """Unless it is behind."""
        if self._transport is not None and self._transport.get_write_buffer_size() < BEHIND_BYTES:
            self._transport.write(line)

    def _heard(self, heard: Heard) -> None:
        if heard.key == self._key:
            self.write(msgspec.json.encode(Frame(heard.rssi_dbm, heard.power_dbm)) + b"\n")
