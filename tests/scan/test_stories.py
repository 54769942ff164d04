"""Whatever happens in whatever order: each code goes to one of the two, once, in order, or is said to be lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.scan.frames import Arm, Outcome, Result, Verdict
from tests.scan.counter import Counter

KINDS = ("CPN:%d", "VIP:%d", "C%d", "690000%07d", "13%016d", "EDGEBOX%d")
steps = st.one_of(
    st.tuples(st.just("scan"), st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), st.integers(1, 60)),
    st.tuples(st.just("wait"), st.sampled_from((0.001, 0.05, 0.16, 1.2))),
    st.tuples(st.just("verdict"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("engine"), st.booleans()),
    st.tuples(st.just("arm"), st.sampled_from(("coupon", ""))),
    st.tuples(st.just("till"), st.sampled_from((0, 1, 7, 1000))),
    st.tuples(st.just("break")),
)


class Story:
    """Plays the steps; the till breaks only when it has a part of a code, or nothing, as real ones do."""

    def __init__(self, late: str) -> None:
        self.room = 1000
        self.counter = Counter(wants=lambda scan: None, takes=lambda size: min(size, self.room), late=late)
        self.scanned: list[str] = []
        self.torn = 0  # codes whose beginning stands in the till's field

    def play(self, step: tuple[object, ...]) -> None:
        what, *details = step
        counter = self.counter
        if what == "scan":
            assert isinstance(details[0], list)
            self._scan(details[0], int(str(details[1])))
        elif what == "wait":
            counter.wait(float(str(details[0])))
        elif what == "verdict":
            number = len(counter.scanned) - int(str(details[0]))
            counter.says(Verdict(number, bool(details[1])))
        elif what == "engine":
            if details[0]:
                counter.core.engine_connected()
            else:
                counter.core.engine_lost(counter.now)
            counter.turn()
        elif what == "arm":
            counter.says(Arm(str(details[0]), 0))
        elif what == "till":
            self.room = int(str(details[0]))
            counter.turn()
        else:
            torn = counter.core.till_broke()
            self.torn += torn
            counter.till += b"|\r" * torn  # the cashier clears the field

    def _scan(self, kinds: list[str], piece: int) -> None:
        codes = [kind % number for number, kind in enumerate(kinds, len(self.scanned))]
        self.scanned += codes
        raw = "".join(code + "\r" for code in codes)
        for at in range(0, len(raw), piece):
            self.counter.scans(raw[at : at + piece])

    def end(self) -> None:
        self.room = 1000
        self.counter.core.engine_lost(self.counter.now)
        self.counter.turn()
        self.counter.wait(5)


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=40), st.sampled_from(("forward", "refuse")))
def test_each_code_goes_to_one_of_the_two_once_and_in_order_or_is_said_to_be_lost(
    story: list[tuple[object, ...]], late: str
) -> None:
    played = Story(late)
    for step in story:
        played.play(step)
    played.end()
    counter = played.counter
    assert counter.faults == []
    assert counter.core.is_idle
    arrived = [code for code in counter.till.decode().split("\r") if code and not code.endswith("|")]
    order = {code: number for number, code in enumerate(played.scanned)}
    assert [order[code] for code in arrived] == sorted({order[code] for code in arrived})
    outcomes = [frame for frame in counter.frames if isinstance(frame, Outcome)]
    kept = {frame.number for frame in outcomes if frame.result == Result.KEPT}
    mine = {scan.code.decode() for scan in counter.scanned if scan.number in kept}
    assert not mine & set(arrived)
    # An engine that went before it was told of its own outcome has not acted; what was kept is counted all the same.
    assert len(arrived) + counter.core.counters["kept"] + counter.core.counters["lost"] == len(played.scanned)
