"""Whatever network, broker and cloud do: every row arrives, and none is marked that was never sent."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.contract import Ack
from sync.session.window import Grant
from tests.sync.journal import EPOCH, Wire, session

KINDS = ("puback", "refuse", "lose", "ack", "forge", "grow", "missing", "drop")
BEFORE = 50  # rows that are there at the start
DISCONNECTS = (0, 0x81, 0x8E, 0x95, 0x99)


class World:
    """One stream, its broker and its cloud. Each happening takes a number and a reason code."""

    def __init__(self, window: int, batch: int) -> None:
        self.session = session("receipts", rows=BEFORE, batch_rows=batch, window=window)
        self.lane = self.session.lanes["receipts"]
        self.wire = Wire(self.session)
        self.now = 0.0
        self.end = BEFORE
        self.marked = 0
        self.arrived: set[int] = set()
        self.ever: set[int] = set()

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        self.session.tick(self.now)
        for _, first, last in self.wire.send(self.now):
            self.ever.update(range(first, last + 1))
        assert len(self.wire.out) == self.session.out_count <= self.session.window

    def answer(self, number: int, reason: int) -> None:
        for token in list(self.wire.out)[:number]:
            _, first, last = self.wire.out.pop(token)
            if reason < 0x80 and reason != 0x10:
                self.arrived.update(range(first, last + 1))
            self.session.puback(token, reason, self.now)

    def puback(self, number: int, _: int) -> None:
        self.answer(number % 4, 0)

    def refuse(self, number: int, code: int) -> None:
        self.answer(number % 4, code)

    def lose(self, number: int, code: int) -> None:
        self.wire.out.clear()
        self.session.disconnected(DISCONNECTS[code % len(DISCONNECTS)], self.now)
        self.session.connected(Grant(receive_maximum=1 + number % 10))

    def ack(self, *_: int) -> None:
        through = 0
        while through + 1 in self.arrived:
            through += 1
        found = self.session.ack(Ack(stream="receipts", epoch=EPOCH, through=through), self.now)
        if found:
            assert set(range(1, found + 1)) <= self.ever, "marked and never sent"
            self.marked = max(self.marked, found)
            self.lane.acknowledged(EPOCH, found, self.now)

    def forge(self, number: int, _: int) -> None:
        """Believed only of rows that went out, or may have before the start."""
        found = self.session.ack(Ack(stream="receipts", epoch=EPOCH, through=number), self.now)
        assert set(range(BEFORE + 1, found + 1)) <= self.ever
        forged = Ack(stream="receipts", epoch=EPOCH, through=self.end + 1 + number)
        assert self.session.ack(forged, self.now) == 0

    def grow(self, number: int, _: int) -> None:
        self.end += number % 20
        self.lane.grown(EPOCH, self.end)

    def missing(self, number: int, _: int) -> None:
        claimed = Ack(stream="receipts", epoch=EPOCH, through=0, newest=number + 1, missing=((number - 5, number),))
        self.session.ack(claimed, self.now)

    def drop(self, *_: int) -> None:
        """The broker dies with all that the cloud has not taken yet."""
        self.arrived = set(range(1, self.marked + 1))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 300), st.integers(0, 255)), max_size=80),
    st.sampled_from([1, 3, 8]),
    st.integers(1, 40),
)
def test_whatever_happens_every_row_arrives_and_none_is_marked_before(
    story: list[tuple[str, int, int]], window: int, batch: int
) -> None:
    world = World(window, batch)
    for what, number, code in story:
        happening: Callable[[int, int], None] = getattr(world, what)
        happening(number, code)
        world.go_on(0.7)
    for _ in range(50 + world.end):  # then all is well, for as long as one row at a time takes
        world.go_on(4000.0)
        world.answer(1000, 0)
        world.ack()
    assert world.marked == world.end, "something was left behind"
