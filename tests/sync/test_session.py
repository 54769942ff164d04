"""The window: what goes first, what is held, and that nothing is left behind."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.contract import MESSAGE_BYTES, Ack
from sync.session import lane as lanes
from sync.session.outgoing import Kind, Outgoing
from sync.session.ranges import RANGES_MAX
from sync.session.window import ANSWER_S, Grant, Read
from tests.sync.journal import EPOCH, Row, Wire, rows_for, session

YOUNG_S = lanes.Patience().young_s


def ack(through: int, *, newest: int = 0, missing: tuple[tuple[int, int], ...] = (), stream: str = "receipts") -> Ack:
    return Ack(stream=stream, epoch=EPOCH, through=through, newest=newest, missing=missing)


def test_never_more_out_than_the_broker_takes() -> None:
    made = session(rows=1000, batch_rows=1, window=64)
    made.disconnected(0, 0.0)
    made.connected(Grant(receive_maximum=3))
    assert len(Wire(made).send()) == 3


def test_a_broker_that_takes_one_message_gets_everything() -> None:
    made = session(rows=50, batch_rows=7)
    made.disconnected(0, 0.0)
    made.connected(Grant(receive_maximum=1))
    wire, seen = Wire(made), []
    for _ in range(20):
        seen += wire.send()
        assert len(wire.out) <= 1
        wire.answer()
    assert [pair[1:] for pair in seen] == [(n, min(n + 6, 50)) for n in range(1, 51, 7)]


def test_a_fresh_receipt_overtakes_the_backlog() -> None:
    made = session("receipts", "visits", rows=100_000, batch_rows=100)
    wire = Wire(made)
    wire.send()
    made.lanes["receipts"].grown(EPOCH, 100_001)
    assert wire.send()[0] == ("receipts", 100_001, 100_001), "the window keeps room for it"


def test_the_backlog_of_the_more_important_stream_goes_first() -> None:
    made = session("receipts", "visits", rows=300, batch_rows=100)
    assert [stream for stream, *_ in Wire(made).send()] == ["receipts"] * 3 + ["visits"] * 3


def test_a_burst_of_sightings_does_not_keep_receipts_waiting() -> None:
    made = session("receipts", "visits", rows=0, batch_rows=100)
    made.lanes["visits"].grown(EPOCH, 5_000)
    made.lanes["receipts"].grown(EPOCH, 1)
    sent = Wire(made).send()
    assert sent[0] == ("receipts", 1, 1)
    assert len(sent) > 1


def test_signs_of_life_go_before_rows_and_only_the_newest() -> None:
    made = session(rows=10)
    for text in (b"old", b"new"):
        made.queue.put(Outgoing(Kind.STATE, "state", text))
    step = made.next(0.0)
    assert isinstance(step, Outgoing)
    assert step.payload == b"new"
    made.sent_other(1, step)
    assert isinstance(made.next(0.0), Read)


def test_what_was_out_when_the_connection_broke_goes_again_and_nothing_else() -> None:
    made = session(rows=400, batch_rows=100)
    wire = Wire(made)
    wire.send()
    wire.answer(most=2)
    made.disconnected(0, 1.0)
    wire.out.clear()
    made.connected(Grant())
    assert [pair[1:] for pair in wire.send()] == [(201, 300), (301, 400)]


def test_a_reply_that_was_out_goes_again() -> None:
    made = session()
    made.queue.put(Outgoing(Kind.REPLY, "reply", b"1"))
    made.queue.put(Outgoing(Kind.REPLY, "reply", b"2"))
    Wire(made).send()
    made.disconnected(0, 0.0)
    made.queue.put(Outgoing(Kind.REPLY, "reply", b"3"))
    made.connected(Grant())
    sent = []
    for token in range(10, 13):
        step = made.next(0.0)
        assert isinstance(step, Outgoing)
        made.sent_other(token, step)
        sent.append(step.payload)
    assert sent == [b"1", b"2", b"3"]


# -- refusals


def test_a_stream_that_is_refused_waits_and_the_others_go_on() -> None:
    made = session("receipts", "visits", rows=100, batch_rows=100, jitter_s=5.0)
    wire = Wire(made)
    wire.send()
    wire.answer(0x87, now=0.0, most=1)
    wire.answer(0, now=0.0)
    assert wire.send(4.9) == []
    assert made.refused == {"receipts": "0x87 not authorized"}
    assert wire.send(5.1) == [("receipts", 1, 100)]
    wire.answer(0, now=5.2)
    assert made.refused == {}
    assert made.counters["refused receipts"] == 1


def test_after_a_refusal_one_message_asks_whether_it_is_over() -> None:
    made = session(rows=1000, batch_rows=10)
    wire = Wire(made)
    wire.send(most=20)
    wire.answer(0x97, now=0.0)
    assert len(wire.send(2.0)) == 1
    wire.answer(0, now=2.0)
    assert len(wire.send(2.1)) > 1


def test_nobody_listening_counts_as_not_delivered() -> None:
    made = session(rows=5)
    wire = Wire(made)
    wire.send()
    wire.answer(0x10, now=0.0)
    assert made.refused == {"receipts": "0x10 nobody subscribes"}
    assert made.counters["refused receipts"] == 0, "nothing was refused"
    assert wire.send(2.0) == [("receipts", 1, 5)]


def test_with_the_brokers_word_taken_nobody_listening_is_delivered_with_a_warning() -> None:
    made = session(rows=5, by_broker=True)
    wire = Wire(made)
    wire.send()
    wire.answer(0x10, now=0.0)
    assert made.lanes["receipts"].through_broker() == [(EPOCH, 5)]
    assert made.refused == {"receipts": "0x10 nobody subscribes"}
    assert made.lanes["receipts"].counters["unheard"] == 1


@settings(max_examples=60)
@given(st.sets(st.integers(1, 300), max_size=5), st.sampled_from([0x80, 0x83, 0x95, 0x99]))
def test_poisoned_rows_are_found_and_set_aside_and_all_others_arrive(poison: set[int], reason: int) -> None:
    made = session(rows=300, batch_rows=64)
    wire, arrived = Wire(made), set[int]()
    for step in range(400):
        wire.send(float(step))
        for token, (_, first, last) in list(wire.out.items()):
            del wire.out[token]
            bad = poison & set(range(first, last + 1))
            made.puback(token, reason if bad else 0, float(step))
            arrived |= set() if bad else set(range(first, last + 1))
        if arrived == set(range(1, 301)) - poison and made.lanes["receipts"].quarantined == len(poison):
            break
    assert arrived == set(range(1, 301)) - poison
    assert made.lanes["receipts"].quarantined == len(poison)
    assert ("receipts" in made.refused) == bool(poison), "no refusal goes unreported"


def test_a_broker_that_refuses_everything_gets_few_rows_set_aside() -> None:
    made = session(rows=500, batch_rows=64)
    wire = Wire(made)
    for step in range(200):
        wire.send(float(step) / 10)
        wire.answer(0x83, now=float(step) / 10)
    assert made.lanes["receipts"].quarantined <= lanes.SET_ASIDE_IN_A_ROW


def test_a_row_that_is_refused_now_and_then_is_not_set_aside() -> None:
    made = session(rows=1)
    wire = Wire(made)
    for second in range(lanes.ROW_REFUSALS - 1):
        assert wire.send(2.0 * second) == [("receipts", 1, 1)]
        wire.answer(0x83, now=2.0 * second)
    wire.send(10.0)
    wire.answer(0, now=10.0)
    assert (made.lanes["receipts"].quarantined, made.refused) == (0, {})


def test_what_is_set_aside_is_tried_again_after_an_hour() -> None:
    made = session(rows=1)
    wire = Wire(made)
    for second in range(lanes.ROW_REFUSALS):
        wire.send(2.0 * second)
        wire.answer(0x99, now=2.0 * second)
    assert made.lanes["receipts"].quarantined == 1
    hour = 4.0 + lanes.QUARANTINE_S
    made.tick(hour - 1)
    assert wire.send(hour - 1) == []
    made.tick(hour)
    assert wire.send(hour) == [("receipts", 1, 1)]
    wire.answer(0, now=hour)
    assert made.refused == {}


def test_a_row_larger_than_the_brokers_largest_packet_is_set_aside() -> None:
    made = session(rows=3, batch_rows=1)
    made.disconnected(0, 0.0)
    made.connected(Grant(packet_bytes=1200))
    read = made.next(0.0)
    assert isinstance(read, Read)
    rows = rows_for(read)
    rows[0] = rows[0]._replace(body=b'"%s"' % (b"x" * 1000))
    made.cut(read, rows, 0.0)
    assert made.refused["receipts"].startswith("row 1 is larger")
    assert Wire(made).send(0.0) == [("receipts", 2, 2), ("receipts", 3, 3)]


def test_a_message_that_ends_its_connection_each_time_stops_only_itself() -> None:
    made = session(rows=64, batch_rows=64)
    wire, poison, arrived = Wire(made), 23, set[int]()
    for step in range(200):
        made.queue.put(Outgoing(Kind.STATE, "state", b"alive"))
        died = False
        while not died and wire.send(float(step)):
            for token, (stream, first, last) in list(wire.out.items()):
                if stream == "receipts" and first <= poison <= last:
                    died = True
                    break
                del wire.out[token]
                made.puback(token, 0, float(step))
                arrived |= set(range(first, last + 1)) if stream == "receipts" else set()
        if not died:
            break
        wire.out.clear()
        made.disconnected(0, float(step))
        made.connected(Grant())
    assert arrived == set(range(1, 65)) - {poison}
    assert made.lanes["receipts"].quarantined == 1
    assert made.counters["connections lost to a message"] >= 1
    assert step < 60


# -- the cloud's word


def test_the_store_is_marked_as_far_as_the_cloud_says() -> None:
    made = session(rows=10)
    wire = Wire(made)
    wire.send()
    wire.answer()
    assert made.ack(ack(7), 1.0) == 7
    made.lanes["receipts"].acknowledged(EPOCH, 7, 1.0)
    assert made.ack(ack(7), 1.0) == 0, "said before"
    assert made.ack(ack(5), 1.0) == 0, "older than what is known"
    assert made.lanes["receipts"].counters["ack_stale"] == 1


def test_an_ack_beyond_what_was_sent_is_not_believed() -> None:
    made = session(rows=0)
    made.lanes["receipts"].grown(EPOCH, 10)
    assert made.ack(ack(10), 0.0) == 0
    assert made.lanes["receipts"].counters["ack_beyond"] == 1
    Wire(made).send()
    assert made.ack(ack(10), 0.0) == 10
    assert made.ack(ack(11), 0.0) == 0


def test_an_ack_over_rows_that_were_never_sent_is_not_believed_because_later_ones_were() -> None:
    """Fresh rows go before the backlog."""
    made = session(rows=0, batch_rows=1, window=1)
    lane = made.lanes["receipts"]
    wire = Wire(made)
    lane.grown(EPOCH, 2000)  # more than a counter's hour: a backlog, though recorded since the start
    assert wire.send() == [("receipts", 1, 1)]
    lane.grown(EPOCH, 2001)
    wire.answer()
    assert wire.send() == [("receipts", 2001, 2001)]
    wire.answer()
    assert made.ack(ack(2001), 0.0) == 0
    assert made.ack(ack(1, newest=2001, missing=((2, 500),)), 0.0) == 1
    assert wire.send() == [("receipts", 2, 2)]
    epoch = lane.newest
    assert epoch is not None
    assert epoch.gap(501, 2000) == (501, 2000), "nobody can have what was never sent"


def test_acks_of_unknown_streams_and_epochs_are_counted_only() -> None:
    made = session(rows=10)
    assert made.ack(Ack(stream="gold", epoch=EPOCH, through=1), 0.0) == 0
    assert made.ack(Ack(stream="receipts", epoch="0009-ffffffff", through=1), 0.0) == 0


def test_what_the_cloud_misses_is_sent_again_once_it_can_have_missed_it() -> None:
    made = session(rows=100, batch_rows=10)
    wire = Wire(made)
    wire.send()
    wire.answer(now=0.0)
    made.ack(ack(20, newest=100, missing=((21, 30),)), 0.1)
    assert wire.send(0.1) == [], "these may still be in the broker's queue"
    made.tick(YOUNG_S)
    made.tick(2 * YOUNG_S)
    made.ack(ack(20, newest=100, missing=((21, 30),)), 11.0)
    assert wire.send(11.0) == [("receipts", 21, 30)]


def test_an_owned_broker_burns_the_data_plan_only_so_fast() -> None:
    made = session(rows=1000, batch_rows=1000)
    wire = Wire(made)
    wire.send()
    wire.answer(now=0.0)
    made.tick(YOUNG_S)
    made.tick(2 * YOUNG_S)
    sent = 0
    for step in range(100):
        made.ack(ack(0, newest=1000, missing=((1, 1000),)), 20.0 + step / 100)
        sent += len(wire.send(20.0 + step / 100))
        wire.answer(now=20.0 + step / 100)
    assert sent == 1


def test_a_broker_that_takes_all_and_answers_nothing_is_found_out() -> None:
    made = session(rows=10, batch_rows=1)
    made.tick(0.0)
    wire = Wire(made)
    wire.send()
    made.tick(ANSWER_S - 1)
    assert not made.is_stuck(ANSWER_S - 1)
    assert made.is_stuck(ANSWER_S)
    made.puback(12_345, 0, ANSWER_S)
    assert made.is_stuck(ANSWER_S), "an answer to nothing is none"
    wire.answer()
    made.tick(3 * ANSWER_S)
    assert not made.is_stuck(3 * ANSWER_S), "nothing is out"


def test_no_message_is_longer_than_the_contract_allows() -> None:
    made = session(rows=10_000, batch_bytes=1 << 22)
    step = made.next(0.0)
    assert isinstance(step, Read)
    assert step.bytes_max == MESSAGE_BYTES
    row = Row("receipts", EPOCH, 1, body=b'"%b"' % (b"x" * MESSAGE_BYTES))
    made.cut(step, [row], 0.0)
    assert made.lanes["receipts"].quarantined == 1
    assert f"row 1 is larger than {MESSAGE_BYTES + 512}" in made.refused["receipts"]


def test_an_owned_broker_that_names_ranges_without_end_neither_hangs_nor_hides_rows() -> None:
    made = session(rows=20_000, batch_rows=100)
    lane = made.lanes["receipts"]
    at = 1
    for _ in range(100):
        known = ((1, at - 1),) if at > 1 else ()
        missing = (*known, *((at + 2 * n + 1, at + 2 * n + 1) for n in range(60)))
        made.ack(ack(0, newest=at + 120, missing=missing), 0.0)
        at += 120
    epoch = lane.newest
    assert epoch is not None
    assert len(epoch.delivered) <= RANGES_MAX
    epoch.take(19_000, 19_000, asked=False)
    epoch.take(19_500, 19_500, asked=False)
    epoch.deliver(19_500, 19_500, asked=False)
    assert 19_500 in epoch.delivered or epoch.gap(19_500, 19_500), "known to be there, or sent once more"


def test_a_cloud_that_says_nothing_gets_the_oldest_rows_again_and_with_patience() -> None:
    made = session(rows=5000, batch_rows=500)
    wire = Wire(made)
    for _ in range(20):
        wire.send()
        wire.answer(now=0.0)
    times = []
    for second in range(1000):
        made.tick(float(second))
        if sent := wire.send(float(second)):
            times.append(second)
            assert sent[0][1] == 1
            assert sum(last - first + 1 for _, first, last in sent) == lanes.AGAIN_ROWS
        wire.answer(now=float(second))
    assert times == [60, 180, 420, 900]


def test_a_broker_that_lost_its_queue_is_found_out() -> None:
    made = session(rows=100_000, batch_rows=1000)
    lane, wire, got = made.lanes["receipts"], Wire(made), 0
    while wire.send():
        wire.answer(now=0.0)
    now = 0.0
    for _ in range(2000):  # a consumer that takes what comes in order, and says so; the broker had lost everything
        now += 1.0
        made.tick(now)
        for _, first, last in wire.send(now):
            got = last if first == got + 1 else got
        wire.answer(now=now)
        if got and (through := made.ack(ack(got), now)):
            lane.acknowledged(EPOCH, through, now)
        if got == 100_000:
            break
    assert got == 100_000
    assert now < 200, "the steps double"


def test_after_a_restart_the_first_ack_saves_what_the_cloud_has() -> None:
    made = session(rows=1000, batch_rows=10, window=8)
    wire = Wire(made)
    sent = wire.send()
    made.ack(ack(0, newest=1000, missing=((1, 1),)), 0.0)
    wire.answer(now=0.0)
    assert wire.send(0.0) == [], "all others are known to be there"
    assert len(sent) <= 8


def test_the_cloud_may_have_acknowledged_rows_again() -> None:
    made = session(rows=100, batch_rows=100)
    wire = Wire(made)
    wire.send()
    wire.answer()
    made.lanes["receipts"].acknowledged(EPOCH, 100, 0.0)
    assert made.lanes["receipts"].ask(EPOCH, 10, 20)
    assert not made.lanes["receipts"].ask(EPOCH, 101, 200)
    assert wire.send(1.0) == [("receipts", 10, 20)]
    made.disconnected(0, 1.0)
    made.connected(Grant())
    wire.out.clear()
    assert wire.send(2.0) == [("receipts", 10, 20)], "still wanted after a lost connection"
    wire.answer(now=2.0)
    assert wire.send(3.0) == []


def test_an_older_life_of_the_database_is_sent_first_and_forgotten_when_the_cloud_has_it() -> None:
    made = session(rows=5)
    lane, wire, newer = made.lanes["receipts"], Wire(made), "0002-00c0ffee"
    lane.begin(newer, 0, 3)
    assert wire.send() == [("receipts", 1, 5), ("receipts", 1, 3)]
    assert [piece.epoch for piece in lane.out.values()] == [EPOCH, newer]
    assert made.ack(ack(5), 0.0) == 5
    lane.acknowledged(EPOCH, 5, 0.0)
    assert lane.has(EPOCH), "a message of it is still out"
    wire.answer()
    made.tick(1.0)
    assert not lane.has(EPOCH)
    assert made.ack(ack(5), 1.0) == 0, "said again"
    assert made.ack(Ack(stream="receipts", epoch=newer, through=3), 1.0) == 3
