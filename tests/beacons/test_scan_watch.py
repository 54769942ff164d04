"""A scan's life, with a clock of our own: when it begins anew, and from when until when the box was deaf."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluez_picture import Adapter, Missing, Picture, Place
from drivers.scan_watch import CROWD, CROWD_MAX, CROWD_S, QUIET_S, STALL_S, Do, ScanPatience, ScanWatch
from edgebox import config as settings
from edgebox.beacons.heard import Deaf
from edgebox.beacons.presence import LOST_S
from edgebox.errors import ConfigError

PLACE = Place(1, ":1.5", "/org/bluez/hci0")
ADAPTER = Adapter("/org/bluez/hci0", powered=True, discovering=True)
THERE = Picture(None, ADAPTER, PLACE)
IDLE = Picture(None, ADAPTER._replace(discovering=False), PLACE)
GONE = Picture(Missing.NO_ADAPTER)
PATIENCE = ScanPatience()


class Scan:
    """A watch whose wishes are granted. `losses`: what was told since."""

    def __init__(self, watch: ScanWatch | None = None) -> None:
        self.watch = watch or ScanWatch(0.0, lambda attempt: attempt + 1.0)
        self.losses: list[Deaf] = []
        self.begun = 0

    def see(self, picture: Picture, now: float) -> None:
        self.watch.see(picture, now)
        self.work(now)

    def hear(self, now: float, senders: int = 1) -> None:
        for number in range(senders):
            self.watch.advert(f"sender {number}", now)
        self.work(now)

    def work(self, now: float, fault: str = "") -> None:
        while todo := self.watch.next(now):
            if todo is Do.START:
                self.begun += not fault
                self.watch.started(fault, now)
            else:
                self.watch.stopped(now)
        self.losses += self.watch.news
        self.watch.news = []


def scanning(senders: int = 1, watch: ScanWatch | None = None) -> Scan:
    """Begun at 0, somebody heard at 1."""
    scan = Scan(watch)
    scan.see(THERE, 0.0)
    scan.hear(1.0, senders)
    assert scan.losses == [Deaf(0.0, None), Deaf(0.0, 1.0)]
    scan.losses.clear()
    return scan


def test_it_begins_as_soon_as_there_is_a_place() -> None:
    scan = Scan()
    scan.see(Picture(Missing.NO_DAEMON), 0.0)
    assert scan.begun == 0
    assert "bluetoothd is not running" in scan.watch.state()
    assert scan.watch.due_s(0.0) is None, "waiting costs nothing"
    scan.see(THERE, 5.0)
    assert (scan.begun, scan.watch.state()) == (1, "")


@pytest.mark.parametrize(
    "then", [GONE, Picture(Missing.OFF, ADAPTER), THERE._replace(place=PLACE._replace(owner=":1.9"))]
)
def test_a_lost_place_is_told_at_once_and_ends_with_the_next_advertisement(then: Picture) -> None:
    scan = scanning()
    scan.see(then, 3.0)
    assert scan.losses == [Deaf(1.0, None)]
    scan.see(THERE, 20.0)
    scan.hear(21.0)
    assert scan.losses == [Deaf(1.0, None), Deaf(1.0, 21.0)]
    assert scan.watch.counters["lost_place"] >= 1


def test_a_place_that_was_gone_for_a_moment_is_a_loss_too() -> None:
    scan = scanning()
    scan.watch.see(Picture(Missing.OFF, ADAPTER), 3.0)
    scan.see(THERE, 3.0)
    assert scan.begun == 2
    assert scan.losses == [Deaf(1.0, None)]


def test_a_discovery_that_stays_off_is_begun_anew_and_one_that_pauses_is_not() -> None:
    scan = scanning()
    scan.see(IDLE, 2.0)
    scan.see(THERE, 2.0 + PATIENCE.pause_s - 0.1)
    scan.hear(10.0)
    assert scan.begun == 1
    scan.see(IDLE, 11.0)
    scan.work(11.0 + PATIENCE.pause_s)
    assert scan.begun == 2
    assert scan.watch.counters["ended"] == 1


def test_a_crowd_that_falls_silent_is_a_stall() -> None:
    scan = scanning(senders=CROWD)
    assert scan.watch.due_s(1.0) == PATIENCE.silence_s
    scan.work(1.0 + PATIENCE.silence_s)
    assert (scan.begun, scan.losses) == (2, [Deaf(1.0, None)])
    scan.hear(17.0)
    assert scan.losses[1:] == [Deaf(1.0, 17.0)]


def test_the_longest_silence_that_settings_allow_is_told_before_anybody_is_thought_lost() -> None:
    allowed = [second for second in (1, 5, 10, 15, 20, 30, 31, 44, 45, 60, 300) if is_setting(second)]
    assert min(allowed) > 5, "BlueZ pauses so long"
    watch = ScanWatch(0.0, lambda attempt: 1.0, ScanPatience(silence_s=float(max(allowed))))
    scan = scanning(senders=CROWD, watch=watch)
    scan.work(1.0 + LOST_S - 1)
    assert scan.losses == [Deaf(1.0, None)]


def is_setting(silence_s: int) -> bool:
    with contextlib.suppress(ConfigError):
        return settings.load(None, [f"beacons.silence_s={silence_s}"]).beacons.silence_s == silence_s
    return False


def test_a_stalled_scan_is_begun_anew_until_it_hears_twice_in_30_seconds() -> None:
    scan = scanning(senders=CROWD)
    for second in range(1, 31):
        scan.work(1.0 + second)
    assert scan.begun == 3
    assert scan.losses == [Deaf(1.0, None)]


def test_a_crowd_that_stays_silent_has_gone_home_in_the_end() -> None:
    scan = scanning(senders=CROWD)
    for second in range(int(QUIET_S + 2 * PATIENCE.silence_s)):
        scan.work(1.0 + second)
    assert [loss.until is None for loss in scan.losses] == [True, False]


def test_one_sender_that_falls_silent_is_no_loss() -> None:
    scan = scanning()
    for second in range(100):
        scan.work(1.0 + second)
    assert scan.losses == []
    assert scan.watch.counters["silences"] == 6
    scan.hear(100.0)
    assert scan.losses == [], "somebody has come"


def test_but_it_was_one_if_a_fresh_scan_hears_it_at_once() -> None:
    scan = scanning()
    scan.work(16.0)
    scan.hear(16.0 + STALL_S / 2)
    assert scan.losses == [Deaf(1.0, 16.0 + STALL_S / 2)]
    assert scan.watch.counters["stalls"] == 1


def test_a_loss_in_an_empty_shop_ends_with_a_fresh_scan_that_is_silent() -> None:
    scan = scanning()
    scan.see(GONE, 3.0)
    scan.see(THERE, 10.0)
    scan.work(10.0 + PATIENCE.silence_s)
    assert scan.losses == [Deaf(1.0, None), Deaf(1.0, 10.0)]


def test_a_loss_behind_a_quiet_night_does_not_make_the_night_deaf() -> None:
    scan = scanning()
    for second in range(3600):
        scan.work(1.0 + second)
    scan.see(GONE, 4000.0)
    assert scan.losses == [Deaf(4000.0 - PATIENCE.silence_s, None)]


def test_a_crowd_of_long_ago_is_none() -> None:
    scan = scanning(senders=CROWD)
    scan.hear(2.0 + CROWD_S)
    scan.hear(3.0 + 2 * CROWD_S)
    scan.work(3.0 + 2 * CROWD_S + PATIENCE.silence_s)
    assert scan.losses == []


def test_a_start_that_fails_waits_longer_each_time_and_says_why() -> None:
    scan = Scan()
    scan.watch.see(THERE, 0.0)
    now, waits = 0.0, []
    for _ in range(3):
        scan.work(now, fault="no scan: in progress")
        waits.append(scan.watch.due_s(now))
        now += 100.0
    assert waits == [1.0, 2.0, 3.0]
    assert scan.watch.state() == "no scan: in progress"
    scan.work(now)
    assert (scan.begun, scan.watch.state()) == (1, "")
    assert scan.watch.counters["refused"] == 3


def test_an_adapter_without_low_energy_is_named() -> None:
    scan = Scan()
    scan.see(Picture(None, ADAPTER._replace(hears=False), PLACE), 0.0)
    assert scan.begun == 0
    assert "no Bluetooth Low Energy" in scan.watch.state()


def test_the_crowd_is_counted_in_bounded_room() -> None:
    scan = scanning(senders=10 * CROWD_MAX)
    assert max(map(len, scan.watch._crowd)) == CROWD_MAX


EVENTS = st.lists(
    st.tuples(
        st.floats(0.0, 20.0),
        st.one_of(st.sampled_from([THERE, IDLE, GONE, Picture(), Picture(Missing.OFF, ADAPTER)]), st.integers(0, 5)),
    ),
    max_size=60,
)


@given(EVENTS)
def test_losses_are_told_in_pairs_and_in_order_whatever_happens(events: list[tuple[float, Picture | int]]) -> None:
    scan, now = Scan(), 0.0
    for wait_s, what in events:
        now += wait_s
        if isinstance(what, Picture):
            scan.see(what, now)
        elif scan.watch.is_scanning:
            scan.hear(now, what)
    scan.see(THERE, now)
    now += 1.0
    scan.hear(now)
    is_deaf, last = False, 0.0
    for loss in scan.losses:
        if loss.until is None:
            assert not is_deaf
            is_deaf, last = True, loss.since
        else:
            assert loss.since == last if is_deaf else loss.since <= loss.until
            assert loss.since <= loss.until <= now
            is_deaf = False
    assert not is_deaf, "somebody is heard"
