"""What came out, against what went in: the promise of transparency as a check of its own.

Owns: `Account`. The promise: output is input with whole blocks put in, and with real-time commands and drawer kicks
further forward; nothing else. So, with the blocks taken out at command boundaries, both sides must have the same bytes
but for those commands, and those commands in the same order, each kind by itself. It knows nothing of documents, of
what may be held, or of why: only the parser, whose own checks are in checks.py.
"""

from __future__ import annotations

from collections import deque

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Parser, raw_of

DLE = 0x10


class Broken(AssertionError):  # noqa: N818 - what is broken is a promise
    """A promise does not hold."""


class Side:
    """One side's stream, sorted: what may overtake, and all else."""

    def __init__(self) -> None:
        self.parser = Parser()
        self.rest = bytearray()
        self.real_time = bytearray()
        self.drawer = bytearray()

    def feed(self, data: bytes) -> None:
        """Bytes in any chunking."""
        for event in (*self.parser.feed(data), *self.parser.take_open()):
            effect = event.effect if isinstance(event, Command) else None
            if effect is Effect.REALTIME and raw_of(event)[0] == DLE:
                self.real_time += raw_of(event)
            elif effect in (Effect.DRAWER, Effect.REALTIME):  # Star's ESC ACK keeps its place among drawer kicks
                self.drawer += raw_of(event)
            else:
                self.rest += raw_of(event)

    def forget(self) -> None:
        """What has been compared."""
        for found in (self.rest, self.real_time, self.drawer):
            found.clear()


class Account:
    """Both sides of one wire, over its whole life. Told blocks in the order in which they were put in."""

    def __init__(self) -> None:
        self._till, self._paper = Side(), Side()
        self._sent, self._printed = bytearray(), bytearray()  # since the last settling
        self._blocks: deque[bytes] = deque()
        self.bytes_in = self.bytes_out = self.blocks = self.block_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Of blocks that were put on their way since the last settling."""
        return sum(map(len, self._blocks))

    def sent(self, data: bytes) -> None:
        """The till has sent."""
        self.bytes_in += len(data)
        self._sent += data

    def block(self, raw: bytes) -> None:
        """A block of ours was put on its way."""
        if raw:
            self._blocks.append(raw)

    def printed(self, data: bytes) -> None:
        """The printer's end took this."""
        self.bytes_out += len(data)
        self._printed += data

    def settle(self) -> None:
        """Nothing is on its way: both sides must agree now. Raises Broken."""
        till, paper = self._till, self._paper
        till.feed(bytes(self._sent))
        paper.feed(self._without_blocks(bytes(self._printed)))
        self._sent.clear()
        self._printed.clear()
        for what in ("rest", "real_time", "drawer"):
            _same(what, bytes(getattr(till, what)), bytes(getattr(paper, what)))
        if till.parser.partial != paper.parser.partial or till.parser.in_payload != paper.parser.in_payload:
            raise Broken("the printer stands elsewhere in a command than the till")
        if self.bytes_out != self.bytes_in + self.block_bytes:
            raise Broken(f"{self.bytes_in} bytes in, {self.block_bytes} added, {self.bytes_out} out")
        till.forget()
        paper.forget()

    def _without_blocks(self, printed: bytes) -> bytes:
        """Feeds all up to the last block, each of which must come whole, and stand between commands."""
        begin = 0
        while self._blocks:
            block = self._blocks.popleft()
            at = printed.find(block, begin)
            if at < 0:
                raise Broken(f"a block never came whole: {block.hex(' ')}")
            self._paper.feed(printed[begin:at])
            if not self._paper.parser.at_boundary:
                raise Broken(f"a block in the middle of a command: behind {printed[max(at - 12, 0) : at].hex(' ')}")
            self.blocks += 1
            self.block_bytes += len(block)
            begin = at + len(block)
        return printed[begin:]


def _same(what: str, given: bytes, found: bytes) -> None:
    if given == found:
        return
    at = next((n for n, (a, b) in enumerate(zip(given, found, strict=False)) if a != b), min(len(given), len(found)))
    raise Broken(
        f"{what}: {len(given)} bytes became {len(found)}, other from {at} on: "
        f"{given[max(at - 16, 0) : at + 16].hex(' ')} became {found[max(at - 16, 0) : at + 16].hex(' ')}"
    )
