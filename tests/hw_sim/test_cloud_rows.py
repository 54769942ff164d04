"""Rows at the cloud: each once, an ack only for what is committed and has no gap, gaps asked for, nothing replaced."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.store.events import HealthRecord, Stream
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.consumer import GAP_MS, RESEND_MS, Message, Out
from hw_sim.cloud.counted import MISSING_MAX, Counted
from hw_sim.cloud.misbehaviour import Mode, Trouble, Way
from sync.contract import Ack, Row, State
from tests.hw_sim.boxes import NOW, PaperBox, acks, cloud


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Cloud]:
    with cloud(tmp_path) as running:
        yield running


@pytest.fixture
def box(head: Cloud) -> PaperBox:
    return PaperBox(head)


def rows(box: PaperBox, count: int) -> list[Row]:
    return [box.row(Stream.HEALTH, HealthRecord(at=NOW, part=f"part {n}", state="ok")) for n in range(count)]


def through(head: Cloud, box: PaperBox) -> int:
    return head.ledger.ack((box.box.name, box.epoch, "health")).through


def test_an_ack_covers_what_has_come_without_a_gap(head: Cloud, box: PaperBox) -> None:
    first, second, third = rows(box, 3)
    assert acks(box.give(box.batch(Stream.HEALTH, [first])))[0].through == 1
    assert acks(box.give(box.batch(Stream.HEALTH, [third])))[0].through == 1
    assert acks(box.give(box.batch(Stream.HEALTH, [second])))[0].through == 3
    assert len(head.ledger.events("box-1", "health")) == 3


def test_messages_that_wait_together_are_committed_and_acknowledged_together(head: Cloud, box: PaperBox) -> None:
    (ack,) = acks(box.give(*(box.batch(Stream.HEALTH, [row]) for row in rows(box, 50))))
    assert ack.through == 50


def test_nothing_is_acknowledged_that_could_not_be_committed(
    head: Cloud, box: PaperBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = box.batch(Stream.HEALTH, rows(box, 3))
    with monkeypatch.context() as patch:
        patch.setattr(head.ledger, "take", _broken(head.ledger.take))
        with pytest.raises(OSError, match="no space"):
            box.give(message)
    assert through(head, box) == 0
    assert head.ledger.events("box-1", "health") == []
    assert acks(box.give(message))[0].through == 3, "and taken when it comes again"


def _broken(take):  # type: ignore[no-untyped-def]
    def taken(*arguments):  # type: ignore[no-untyped-def]
        take(*arguments)
        raise OSError("no space left")

    return taken


def test_what_comes_twice_is_kept_once_and_acknowledged_again(head: Cloud, box: PaperBox) -> None:
    message = box.batch(Stream.HEALTH, rows(box, 5))
    box.give(message)
    assert acks(box.give(message))[0].through == 5
    assert len(head.ledger.events("box-1", "health")) == 5
    assert head.consumer.duplicates == 5
    assert head.ledger.alarms() == []


def test_one_number_with_two_contents_is_an_alarm_and_the_first_stays(head: Cloud, box: PaperBox) -> None:
    """Two boxes with one name, or one that was cloned or set back without a new epoch."""
    box.give(box.batch(Stream.HEALTH, rows(box, 1)))
    other = Row(seq=1, event=msgspec.Raw(b'{"type":"health","at":1,"part":"x","state":"failed"}'))
    box.give(box.batch(Stream.HEALTH, [other]))
    assert [alarm.kind for alarm in head.ledger.alarms()] == ["conflict"]
    assert b"part 0" in head.ledger.events("box-1", "health")[0]


def test_a_gap_is_asked_for_after_a_moment_and_not_again_at_once(head: Cloud, box: PaperBox) -> None:
    first, *_, last = rows(box, 5)
    box.give(box.batch(Stream.HEALTH, [first, last]))
    at = box.now_ms
    assert head.consumer.tick(at + GAP_MS - 1) == [], "what is on its way may still come"
    (ack,) = acks(head.consumer.tick(at + GAP_MS))
    assert (ack.through, ack.newest, ack.missing) == (1, 5, ((2, 4),))
    assert head.consumer.tick(at + GAP_MS + RESEND_MS - 1) == []
    assert acks(head.consumer.tick(at + GAP_MS + RESEND_MS)) == [ack]


def test_a_gap_that_was_filled_is_not_asked_for(head: Cloud, box: PaperBox) -> None:
    first, second, third = rows(box, 3)
    box.give(box.batch(Stream.HEALTH, [first, third]))
    box.give(box.batch(Stream.HEALTH, [second]))
    assert head.consumer.tick(box.now_ms + GAP_MS + RESEND_MS) == []


def test_numbers_that_were_given_up_count_as_had_and_are_said(head: Cloud, box: PaperBox) -> None:
    sent = rows(box, 10)
    lost = Row(seq=3, to=8, lost="disk")
    (ack,) = acks(box.give(box.batch(Stream.HEALTH, [*sent[:2], lost, *sent[8:]])))
    assert ack.through == 10
    assert head.ledger.lost("box-1") == 6
    assert [alarm.kind for alarm in head.ledger.alarms()] == ["lost"]
    box.give(box.batch(Stream.HEALTH, sent[2:4]))
    assert len(head.ledger.events("box-1", "health")) == 6, "what comes after all counts more"


def test_a_new_epoch_counts_from_one_and_the_old_ones_rows_stay(head: Cloud, box: PaperBox) -> None:
    box.give(box.batch(Stream.HEALTH, rows(box, 5)))
    box.epoch = "0002-bbbbbbbb"
    (ack,) = acks(box.give(box.batch(Stream.HEALTH, rows(box, 2))))
    assert (ack.epoch, ack.through) == ("0002-bbbbbbbb", 2)
    assert [(mark.epoch, mark.through) for mark in head.ledger.marks()] == [("0001-aaaaaaaa", 5), (box.epoch, 2)]


def test_a_cloud_that_was_started_again_knows_what_it_has(tmp_path: Path) -> None:
    with cloud(tmp_path) as head:
        box = PaperBox(head)
        sent = rows(box, 6)
        box.give(box.batch(Stream.HEALTH, [*sent[:2], Row(seq=4, to=4, lost="disk"), sent[5]]))
    with cloud(tmp_path) as head:
        box = PaperBox(head)
        assert through(head, box) == 2
        (ack,) = acks(box.give(box.batch(Stream.HEALTH, [sent[2]])))
        assert ack.through == 4
        assert head.ledger.marks()[0].missing == ((5, 5),)


def test_a_box_that_was_restarted_hears_how_far_the_cloud_is(head: Cloud, box: PaperBox) -> None:
    box.give(box.batch(Stream.HEALTH, rows(box, 5)))
    topic = f"{head.topics.prefix(box.box.place)}/state"
    hello = Message(topic, msgspec.json.encode(State(box="box-1", boot="b1", epoch=box.epoch, expires_s=60)))
    assert [(ack.stream, ack.through) for ack in acks(box.give(hello))] == [("health", 5)]
    assert acks(box.give(hello)) == [], "the same boot again is a mere sign of life"
    will = Message(topic, msgspec.json.encode(State(box="box-1", online=False)))
    assert acks(box.give(will)) == []
    assert not head.fleet.is_online("box-1")


def test_a_box_that_was_lied_to_is_asked_to_send_again(head: Cloud, box: PaperBox) -> None:
    """An owned broker has sent it an ack that the cloud never gave."""
    box.give(box.batch(Stream.HEALTH, rows(box, 2)))
    state = State(box="box-1", epoch=box.epoch, expires_s=60, acknowledged={"health": 9})
    box.give(Message(f"{head.topics.prefix(box.box.place)}/state", msgspec.json.encode(state)))
    assert head.consumer.forged == {("box-1", box.epoch, "health"): (3, 9)}
    assert [alarm.kind for alarm in head.ledger.alarms()] == ["forged_ack"]


HEALTH = "edgebox/v1/demo/shop/box-1/up/health"


@pytest.mark.parametrize(
    ("topic", "payload", "kind"),
    [
        ("edgebox/v1/demo/shop/box-7/up/health", b"{}", "stranger"),
        ("edgebox/v1/other/shop/box-1/up/health", b"{}", "stranger"),
        ("somewhere/else", b"{}", "stranger"),
        (HEALTH, b"", "nonsense"),
        (HEALTH, b"\xff\xfe", "nonsense"),
        (HEALTH, b"[" * 100_000, "nonsense"),
        (HEALTH, b'{"box":"box-1","epoch":"e","stream":"health","rows":[]}', "nonsense"),
        (HEALTH, b'{"box":"box-1","epoch":"e","stream":"claims","rows":[{"seq":1}]}', "nonsense"),
        (HEALTH, b'{"box":"box-1","epoch":"e","stream":"health","rows":[{"seq":0}]}', "nonsense"),
        (HEALTH, b'{"box":"box-1","epoch":"e","stream":"health","rows":[{"seq":5,"to":1,"lost":"x"}]}', "nonsense"),
        (HEALTH, b'{"box":"box-2","epoch":"e","stream":"health","rows":[{"seq":1}]}', "impostor"),
        (HEALTH, b'{"box":"box-1","epoch":"e","stream":"health","rows":[{"seq":18446744073709551615}]}', "nonsense"),
        (HEALTH, b'{"box":"box-1","epoch":"e","stream":"health","rows":[{"seq":1,"at_ms":-9e99}]}', "nonsense"),
        ("edgebox/v1/demo/shop/box-1/state", b'{"box":"box-2"}', "impostor"),
        ("edgebox/v1/demo/shop/box-1/cmd", b"{}", "nonsense"),
    ],
)
def test_what_no_honest_box_sends_is_alarmed_and_changes_nothing(
    head: Cloud, box: PaperBox, topic: str, payload: bytes, kind: str
) -> None:
    good = box.batch(Stream.HEALTH, rows(box, 1))
    out = box.give(Message(topic, payload), good)
    assert [ack.through for ack in acks(out)] == [1], "the honest message beside it is taken"
    assert [alarm.kind for alarm in head.ledger.alarms()] == [kind]
    assert len(head.ledger.marks()) == 1


@pytest.mark.parametrize(
    "event",
    [
        b'{"type":"claim","at":"yesterday"}',
        b'{"type":"claim","at":1,"claim":"00","url":"x","state":"granted","amount_minor":18446744073709551615}',
        b"null",
    ],
)
def test_an_event_that_cannot_be_read_is_kept_and_acknowledged(head: Cloud, box: PaperBox, event: bytes) -> None:
    """It was recorded; a newer box may say what this cloud doesn't know yet. It must not stop the stream."""
    row = Row(seq=1, event=msgspec.Raw(event))
    (ack,) = acks(box.give(box.batch(Stream.CLAIMS, [row])))
    assert ack.through == 1
    assert [alarm.kind for alarm in head.ledger.alarms()] == ["event"]


_NUMBERS = st.integers(-(2**65), 2**65)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("v", "box", "epoch", "stream", "rows", "id", "what", "args", "state", "command", "acknowledged", "bundles")
_ROW = st.fixed_dictionaries(
    {"seq": _NUMBERS | st.integers(1, 9)},
    optional={"to": _NUMBERS, "lost": st.text(max_size=3), "at_ms": _NUMBERS, "mono_ms": _NUMBERS, "event": _JSON},
)
_HOSTILE = st.dictionaries(st.sampled_from(_FIELDS), _JSON) | st.fixed_dictionaries(
    {"box": st.just("box-1"), "epoch": st.text(max_size=3), "stream": st.sampled_from(list(Stream))},
    optional={"rows": st.lists(_ROW, max_size=4), "acknowledged": st.dictionaries(st.text(max_size=3), _NUMBERS)},
)


_LIVES = itertools.count(1)  # an epoch of its own for each example's honest row


def through_ack(box: PaperBox) -> int:
    return acks(box.give(box.batch(Stream.HEALTH, rows(box, 1))))[0].through


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for all examples: what one leaves behind, the next one meets."""
    with cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["up/claims", "up/receipts", "up/health", "state", "ask", "reply", "reported", "x/y"])
            | st.text(max_size=10),
            st.binary(max_size=40) | _HOSTILE.map(msgspec.json.encode),
        ),
        max_size=4,
    )
)
def test_nothing_that_a_box_sends_stops_the_cloud(besieged: Cloud, sent: list[tuple[str, bytes]]) -> None:
    head, box = besieged, PaperBox(besieged)
    head.consumer.take([Message(f"{head.topics.prefix(box.box.place)}/{rest}", raw) for rest, raw in sent], 0)
    head.consumer.tick(10**9)
    head.points.look("".join(rest for rest, _ in sent), "nobody")
    box.epoch = f"{next(_LIVES):016x}"
    assert through_ack(box) == 1, "an honest row is still taken"


# -- the way there and back


@pytest.mark.parametrize("mode", [Mode.NOTHING, Mode.REFUSE, Mode.DELAY, Mode.DUPLICATE, Mode.REORDER])
@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_there_once_whatever_happens_on_the_way(head: Cloud, mode: Mode, seed: int) -> None:
    """The box sends what is not acknowledged again, and what is asked for, until nothing is left."""
    box = PaperBox(head)
    sent = rows(box, 60)
    inward: Way[Message] = Way(Trouble(mode, 0.5), seed)
    outward: Way[Out] = Way(Trouble(mode, 0.5), seed + 100)
    acked = 0
    for now in range(0, 200 * GAP_MS, GAP_MS):
        for start in range(acked, len(sent), 7):
            inward.put(box.batch(Stream.HEALTH, sent[start : start + 7]), now)
        arrived = list(inward.due(now))
        for out in (*(head.consumer.take(arrived, now) if arrived else ()), *head.consumer.tick(now)):
            outward.put(out, now)
        for ack in acks(outward.due(now)):
            acked = max(acked, ack.through)
        if acked == len(sent):
            break
    assert acked == len(sent)
    assert [b'"part %d"' % n in raw for n, raw in enumerate(head.ledger.events("box-1", "health"))] == [True] * 60
    assert head.ledger.alarms() == []


def test_misbehaviour_is_the_same_for_the_same_seed() -> None:
    def arrivals(seed: int) -> list[int]:
        way: Way[int] = Way(Trouble(Mode.REORDER, 0.7), seed)
        for n in range(30):
            way.put(n, n)
        return list(way.due(1000))

    assert arrivals(1) == arrivals(1) != arrivals(2)
    assert sorted(arrivals(1)) == list(range(30))


# -- counting


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)), max_size=40))
def test_counting_agrees_with_a_set(ranges: list[tuple[int, int]]) -> None:
    counted, having = Counted(), set[int]()
    for first, more in ranges:
        assert counted.add(first, first + more)
        having |= set(range(first, first + more + 1))
        through = next(n for n in itertools.count() if n + 1 not in having)
        missing = set(range(1, max(having) + 1)) - having
        assert counted.through == through
        assert counted.highest == max(having)
        assert {n for low, high in counted.missing() for n in range(low, high + 1)} == missing
        assert {n for n in range(1, 70) if n in counted} == having
        assert counted.is_whole == (not missing)


def test_with_more_gaps_than_an_ack_holds_it_tells_the_first() -> None:
    counted = Counted()
    numbers = list(range(2, 2 + 4 * MISSING_MAX, 2))
    random.Random(1).shuffle(numbers)
    for n in numbers:
        counted.add(n, n)
    newest, missing = counted.gaps()
    assert len(missing) == MISSING_MAX
    assert newest == 2 * MISSING_MAX, "up to there the gaps are all told"
    Ack(stream="health", epoch="e", through=counted.through, newest=newest, missing=missing)
