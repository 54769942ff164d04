"""What came out, against what went in: the promise of transparency as a check of its own.

Owns: `Account`. The promise: output is input with whole blocks put in, and with real-time commands and drawer kicks
further forward; nothing else. The till's own bytes are parsed to learn which those commands are and where commands
begin; the output is not parsed again, since what has moved could change how it reads. It knows nothing of documents,
of what may be held, or of why.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import accumulate

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Event, Parser, raw_of

DLE = 0x10


class Broken(AssertionError):  # noqa: N818 - what is broken is a promise
    """A promise does not hold."""


class Movable:
    """Commands of one kind that may go out earlier, in order, and where in the rest each of them stood."""

    def __init__(self) -> None:
        self.raws: list[bytes] = []
        self.places: list[int] = []

    def add(self, raw: bytes, place: int) -> None:
        """One more, before byte `place` of the rest."""
        self.raws.append(raw)
        self.places.append(place)

    @property
    def lengths(self) -> list[int]:
        """Bytes of the first 0, 1, 2 … of them."""
        return [0, *accumulate(map(len, self.raws))]


class Sent:
    """What the till has sent since the last settling, sorted: what may overtake, and the rest."""

    def __init__(self) -> None:
        self._parser = Parser()
        self._settled = 0  # bytes of an incomplete command that were compared before
        self._begin()

    def _begin(self) -> None:
        self.rest = bytearray()
        self.may_go_before = bytearray()  # for each byte of the rest: does a command, or a letter, begin with it?
        self.real_time, self.drawer = Movable(), Movable()

    def take(self, data: bytes) -> None:
        """All that was sent."""
        for event in (*self._parser.feed(data), *self._parser.take_open()):
            raw = raw_of(event)
            known = min(self._settled, len(raw))  # bytes of it that went out before it was whole
            self._settled -= known
            effect = event.effect if isinstance(event, Command) else None
            if effect is Effect.REALTIME and raw[0] == DLE and not known:
                self.real_time.add(raw, len(self.rest))
            elif effect in (Effect.DRAWER, Effect.REALTIME) and not known:
                self.drawer.add(raw, len(self.rest))  # Star's ESC ACK keeps its place among drawer kicks
            else:
                self._stay(event, raw[known:], begins=isinstance(event, Command) and not known)
        partial = self._parser.partial[self._settled :]
        begins = not self._settled and not self._parser.in_payload
        self.may_go_before += bytes(begins and at == 0 for at in range(len(partial)))
        self.rest += partial
        self._settled = len(self._parser.partial)
        self.may_go_before.append(self._parser.at_boundary)

    def _stay(self, event: Event, raw: bytes, *, begins: bool) -> None:
        letters = isinstance(event, bytes)
        self.rest += raw
        self.may_go_before += bytes(letters or (begins and at == 0) for at in range(len(raw)))

    def forget(self) -> None:
        """It has been compared."""
        self._begin()


class Account:
    """Both sides of one wire, over its whole life. Told blocks in the order in which they were put in."""

    def __init__(self) -> None:
        self._till = Sent()
        self._sent, self._printed = bytearray(), bytearray()  # since the last settling
        self._blocks: deque[bytes] = deque()
        self.bytes_in = self.bytes_out = self.block_bytes = 0

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
        self._till.take(bytes(self._sent))
        printed, blocks = self._without_blocks(bytes(self._printed))
        self._sent.clear()
        self._printed.clear()
        if self.bytes_out != self.bytes_in + self.block_bytes:
            raise Broken(f"{self.bytes_in} bytes in, {self.block_bytes} added, {self.bytes_out} out")
        explain(printed, self._till, blocks)
        self._till.forget()

    def _without_blocks(self, printed: bytes) -> tuple[bytes, list[int]]:
        """The output without our blocks, each of which must come whole; and where they stood."""
        parts, places, begin, size = [], [], 0, 0
        while self._blocks:
            block = self._blocks.popleft()
            at = printed.find(block, begin)
            if at < 0:
                raise Broken(f"a block never came whole: {block.hex(' ')}")
            parts.append(printed[begin:at])
            size += at - begin
            places.append(size)
            self.block_bytes += len(block)
            begin = at + len(block)
        return b"".join((*parts, printed[begin:])), places


def explain(printed: bytes, till: Sent, blocks: list[int]) -> None:
    """Finds a way in which `printed` is what the till sent, with commands moved forward and blocks between commands.

    A search, because the rest may hold bytes that look like a movable command; nearly always there is one way.
    """
    rest, begins = bytes(till.rest), till.may_go_before
    kinds = (till.real_time, till.drawer)
    lengths = [kind.lengths for kind in kinds]
    furthest = 0
    ways, seen = [(0, 0, 0)], set()  # bytes of the output, real-time commands and drawer kicks explained
    while ways:
        way = ways.pop()
        if way in seen:
            continue
        seen.add(way)
        at, *taken = way
        place = at - lengths[0][taken[0]] - lengths[1][taken[1]]
        found = [
            printed.find(kind.raws[count], at) if count < len(kind.raws) else -1
            for kind, count in zip(kinds, taken, strict=True)
        ]
        upto = min((one for one in found if one >= 0), default=len(printed))
        until = place + upto - at
        alike = _alike(printed[at:upto], rest[place:until])
        furthest = max(furthest, at + alike)
        if alike < upto - at or not _may_stand(blocks, at, upto, place, begins):
            continue
        if upto == len(printed):
            done = all(count == len(kind.raws) for kind, count in zip(kinds, taken, strict=True)) and until == len(rest)
            if done and _may_stand(blocks, upto, upto + 1, until, begins):
                return
            continue
        if until < len(rest) and printed[upto] == rest[until] and _may_stand(blocks, upto, upto + 1, until, begins):
            ways.append((upto + 1, taken[0], taken[1]))
        for which, (kind, count) in enumerate(zip(kinds, taken, strict=True)):
            if found[which] == upto and begins[until] and until <= kind.places[count]:
                end = upto + len(kind.raws[count])
                if bisect_left(blocks, end) == bisect_left(blocks, upto + 1):  # no block within it
                    ways.append((end, count + 1, taken[1]) if not which else (end, taken[0], count + 1))
    raise Broken(
        f"no way to explain the output from byte {furthest} on: "
        f"{printed[max(furthest - 16, 0) : furthest + 24].hex(' ')}; of the till's: {_around(till, furthest)}"
    )


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    if one == other:
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _may_stand(blocks: list[int], at: int, upto: int, place: int, begins: bytearray) -> bool:
    """Blocks in this stretch of the rest stand between commands."""
    return all(begins[place + one - at] for one in blocks[bisect_left(blocks, at) : bisect_left(blocks, upto)])


def _around(till: Sent, place: int) -> str:
    moved = sum(sum(map(len, kind.raws)) for kind in (till.real_time, till.drawer))
    return till.rest[max(place - moved - 16, 0) : place + 24].hex(" ")
