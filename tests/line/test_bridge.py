"""When the box stands in the wire: the bypass relay's heartbeat, played against a relay that does what the manual asks.

The relay: in at once when an edge comes, out when none has come for as long as it holds.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.line.bridge import (
    EDGE_S,
    FALLS_S,
    HOLDS_S,
    PATIENCE_S,
    PULLS_S,
    QUIET_S,
    STARTS_MAX,
    STARTS_S,
    Bridge,
    Place,
)

STEP_S = 0.05


class Shop:
    """The line's loop around a bridge. `edges`: when they went out."""

    def __init__(self, bridge: Bridge, now: float = 100.0, edges: tuple[float, ...] = ()) -> None:
        self.bridge = bridge
        self.now = now
        self.edges = list(edges)
        self.ready = True
        self.at_rest = True
        self.pin_works = True

    def passes(self, seconds: float, *, prints: bool = False) -> "Shop":
        """Time, in turns of the loop; `prints`: the till does, past the box."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += STEP_S
            if prints and self.bridge.place is Place.OUT:
                self.bridge.heard(self.now)
            if self.bridge.turn(self.now, ready=self.ready, at_rest=self.at_rest):
                if self.pin_works:
                    self.edges.append(self.now)
                    self.bridge.beaten(self.now)
                else:
                    self.bridge.failed(self.now)
        return self

    @property
    def place(self) -> Place:
        return self.bridge.place

    def relay_is_in(self, holds_s: float = 1.0) -> bool:
        return bool(self.edges) and self.now < self.edges[-1] + holds_s


def shop_in_the_wire() -> Shop:
    shop = Shop(Bridge(100.0)).passes(QUIET_S + PULLS_S + 4 * STEP_S)
    assert shop.place is Place.IN
    return shop


def test_it_comes_in_when_both_cables_are_open_and_the_till_is_silent() -> None:
    shop = Shop(Bridge(100.0))
    shop.ready = False
    shop.passes(5.0)
    assert (shop.place, shop.edges) == (Place.OUT, [])
    shop.ready = True
    shop.passes(QUIET_S)
    assert shop.edges == []
    shop.passes(2 * STEP_S)
    assert (shop.place, len(shop.edges)) == (Place.COMING, 1)
    shop.passes(PULLS_S + STEP_S)
    assert shop.place is Place.IN


def test_a_receipt_that_goes_past_the_box_is_let_finish() -> None:
    shop = Shop(Bridge(100.0)).passes(4.0, prints=True)
    assert (shop.place, shop.edges) == (Place.OUT, [])
    shop.passes(QUIET_S / 2)
    assert shop.edges == []
    shop.passes(QUIET_S / 2 + STEP_S)
    assert shop.edges


def test_a_till_that_is_never_silent_is_not_waited_for_for_ever() -> None:
    shop = Shop(Bridge(100.0)).passes(PATIENCE_S - STEP_S, prints=True)
    assert shop.place is Place.OUT
    assert shop.passes(1.0, prints=True).place is Place.IN


def test_in_the_wire_the_edges_keep_the_relay_in() -> None:
    shop = shop_in_the_wire()
    for _ in range(100):
        assert shop.passes(STEP_S).relay_is_in(HOLDS_S + STEP_S)
    gaps = [after - before for before, after in zip(shop.edges, shop.edges[1:], strict=False)]
    assert max(gaps) <= EDGE_S + STEP_S
    assert min(gaps) >= EDGE_S - 1e-9


@pytest.mark.parametrize("away_s", [0.0, 0.15, HOLDS_S - 0.1])
def test_a_line_that_is_there_again_in_time_goes_on_without_waiting(away_s: float) -> None:
    shop = Shop(Bridge(100.0 + away_s, 100.0, [100.0 + away_s]), 100.0 + away_s, (100.0,))
    shop.passes(STEP_S)
    assert shop.place is Place.IN
    assert shop.relay_is_in()


def test_a_line_that_comes_when_the_relay_may_be_falling_waits_until_it_has() -> None:
    shop = Shop(Bridge(100.0 + HOLDS_S + 0.1, 100.0), 100.0 + HOLDS_S + 0.1)
    while not shop.edges:
        shop.passes(STEP_S)
    assert shop.edges[0] >= 100.0 + FALLS_S


@pytest.mark.parametrize("last_edge", [200.0, float("nan")])
def test_an_edge_of_another_boot_is_none(last_edge: float) -> None:
    shop = Shop(Bridge(100.0, last_edge)).passes(STEP_S)
    assert shop.place is Place.OUT


def test_a_printer_that_is_unplugged_ends_it_and_one_that_is_back_at_once_goes_on() -> None:
    shop = shop_in_the_wire()
    shop.ready = False
    shop.passes(STEP_S)
    assert shop.place is Place.OUT
    beaten = len(shop.edges)
    shop.ready = True
    assert shop.passes(STEP_S).place is Place.IN, "the relay has not let go"
    shop.ready = False
    shop.passes(3.0)
    assert len(shop.edges) <= beaten + 1
    assert not shop.relay_is_in(FALLS_S)


def test_asked_to_leave_it_waits_for_the_receipts_end_and_until_the_relay_has_let_go() -> None:
    shop = shop_in_the_wire()
    shop.at_rest = False
    shop.bridge.leave()
    shop.passes(3.0)
    assert shop.relay_is_in(HOLDS_S)
    assert shop.bridge.is_leaving
    shop.at_rest = True
    last = shop.edges[-1]
    shop.passes(0.4)
    assert shop.edges[-1] == last
    shop.at_rest = False  # the next receipt, just in time
    shop.passes(STEP_S)
    assert shop.edges[-1] > last
    shop.at_rest = True
    while shop.bridge.is_leaving:
        shop.passes(STEP_S)
    assert shop.now >= shop.edges[-1] + FALLS_S
    shop.passes(20.0)
    assert shop.place is Place.OUT, "for good"


def test_a_line_that_stood_still_for_longer_than_the_relay_holds_is_out_and_waits_for_silence() -> None:
    """What the till sent meanwhile lies in our cable's buffer and is on paper: an edge now would let it out again."""
    shop = shop_in_the_wire()
    beaten = len(shop.edges)
    shop.now += FALLS_S
    shop.passes(STEP_S)
    assert (shop.place, len(shop.edges)) == (Place.OUT, beaten)
    shop.passes(QUIET_S - STEP_S, prints=True)
    assert len(shop.edges) == beaten
    assert shop.passes(QUIET_S + PULLS_S + 2 * STEP_S).place is Place.IN


def test_a_line_that_stood_still_for_less_goes_on() -> None:
    shop = shop_in_the_wire()
    shop.now += HOLDS_S - EDGE_S
    beaten = len(shop.edges)
    assert shop.passes(STEP_S).place is Place.IN
    assert len(shop.edges) == beaten + 1


def test_a_receipt_that_begins_while_the_relay_lets_go_does_not_call_it_back() -> None:
    shop = shop_in_the_wire()
    shop.bridge.leave()
    shop.passes(HOLDS_S + STEP_S)
    beaten = len(shop.edges)
    shop.at_rest = False
    shop.passes(FALLS_S)
    assert (shop.place, len(shop.edges)) == (Place.OUT, beaten)


def test_a_pin_that_cannot_be_had_leaves_the_box_out_until_it_can() -> None:
    shop = shop_in_the_wire()
    shop.pin_works = False
    shop.passes(1.0)
    assert shop.place is Place.OUT
    shop.passes(10.0)
    assert shop.place is not Place.IN
    shop.pin_works = True
    assert shop.passes(FALLS_S + QUIET_S + PULLS_S + EDGE_S).place is Place.IN


def test_a_line_that_dies_again_and_again_stays_out_for_a_minute() -> None:
    starts = [100.0 + number for number in range(STARTS_MAX)]
    well = Bridge(starts[-1], starts[-1] - 0.1, starts[:-1])
    assert not well.is_ill
    shop = Shop(Bridge(starts[-1], starts[-1] - 0.1, starts), starts[-1])
    assert shop.bridge.is_ill
    shop.passes(STARTS_S - 1.0)
    assert (shop.place, shop.edges) == (Place.OUT, [])
    assert shop.passes(1.0 + PULLS_S + EDGE_S).place is Place.IN
    long_ago = [at - STARTS_S for at in starts]
    assert not Bridge(starts[-1], 0.0, long_ago).is_ill


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.integers(1, 40)), max_size=40))
def test_whatever_happens_the_box_is_never_in_the_wire_without_a_heartbeat(
    story: list[tuple[bool, bool, bool, bool, int]],
) -> None:
    """Nor does it beat while a cable is open to nobody."""
    shop = Shop(Bridge(100.0))
    for shop.ready, shop.at_rest, shop.pin_works, prints, turns in story:
        for _ in range(turns):
            beaten = len(shop.edges)
            shop.passes(STEP_S, prints=prints)
            assert shop.ready or len(shop.edges) == beaten
            if shop.place is Place.IN:
                assert shop.relay_is_in(HOLDS_S + EDGE_S)
            assert shop.bridge.next_at(shop.now) <= shop.now + 0.2 + STEP_S
