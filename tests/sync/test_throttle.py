"""A broker that floods the box is read so fast and no faster."""

import asyncio
import time
from pathlib import Path

from sync.throttle import BURST, BYTES_EACH, FLOOD_S, PER_S, Throttle
from tests.sync.box import running
from tests.sync.broker import PREFIX, until
from tests.sync.scripted import ScriptedBroker, listening, packet, text


def test_a_burst_is_read_at_once_and_then_so_many_a_second() -> None:
    throttle, now, read = Throttle(), 100.0, 0
    throttle.wait_s(now)
    while now < 110.0:
        throttle.pay(10)
        read += 1
        now += throttle.wait_s(now)
    assert BURST + 9 * PER_S < read < BURST + 11 * PER_S


def test_a_long_message_counts_as_several_short_ones() -> None:
    short, long = Throttle(), Throttle()
    short.wait_s(0.0)
    long.wait_s(0.0)
    long.pay(10 * BYTES_EACH)
    for _ in range(11):
        short.pay(0)
    for throttle in (short, long):
        for _ in range(int(BURST) - 11):
            throttle.pay(0)
        assert throttle.wait_s(0.0) == 0.0
        throttle.pay(0)
        assert throttle.wait_s(0.0) > 0.0


def test_a_flood_is_told_for_a_while() -> None:
    throttle = Throttle()
    assert not throttle.is_flooded(0.0)
    throttle.wait_s(0.0)
    throttle.pay(int(BURST + 1) * BYTES_EACH)
    assert throttle.wait_s(0.0) > 0
    assert throttle.is_flooded(FLOOD_S - 1)
    assert not throttle.is_flooded(FLOOD_S)


def test_whatever_a_broker_floods_us_with_rows_go_out_and_the_loop_stays_free(tmp_path: Path) -> None:
    """Messages that nobody reads, and answers to nothing: as many as TCP takes."""

    async def story() -> None:
        broker = ScriptedBroker()
        async with listening(broker), running(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as box:
            await until(lambda: box.uplink.is_connected)
            throttle = box.uplink._throttle
            junk = packet(0x30, text(f"{PREFIX}box1/none") + b"\0") + packet(0x40, b"\xff\xfe") + packet(0xD0, b"")
            broker.send(junk * 20_000)
            began = time.monotonic()
            await box.receipts(5)
            await until(lambda: throttle.waits > 3)
            assert throttle.paid <= BURST + 10 + PER_S * (time.monotonic() - began)
            assert "sync flood" in box.uplink.health()

    asyncio.run(story())


def test_answers_to_what_we_sent_are_free(tmp_path: Path) -> None:
    async def story() -> None:
        broker = ScriptedBroker()
        async with listening(broker), running(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as box:
            await until(lambda: box.uplink.is_connected)
            await box.receipts(50)
            await until(lambda: box.uplink.session.lanes["receipts"].counters["rows"] >= 50)
            assert box.uplink._throttle.paid <= 2, "the answer to the subscription"

    asyncio.run(story())
