"""Rows reach a real mosquitto's subscriber, once, in good order, and the store knows."""

import asyncio
from pathlib import Path

from sync.session.window import Limits
from tests.sync.box import receipt, running
from tests.sync.broker import PREFIX, Collector, mosquitto, needs_mosquitto, until
from tests.sync.proxy import proxied

pytestmark = needs_mosquitto


def test_rows_from_before_and_after_the_connection_arrive_once_and_are_marked(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path) as box:
                await box.receipts(20)
                await until(lambda: cloud.count("receipts") == 20)
                await box.receipts(5, first=20)
                await until(lambda: cloud.count("receipts") == 25)
                await box.marks(25)
            cloud.close()
            assert cloud.repeats == 0
            assert cloud.seqs("receipts") == list(range(1, 26))

    asyncio.run(story())


def test_a_fresh_receipt_arrives_while_the_backlog_still_drains(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker", "max_queued_messages 0") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, limits=Limits(batch_rows=50)) as box:
                await box.sightings(20_000)
                await until(lambda: cloud.count("visits") > 100)
                await box.store.record(receipt(1))
                await until(lambda: cloud.count("visits") == 20_000)
            cloud.close()
            at = cloud.order.index(("receipts", 1))
            assert at < 19_000, "it waited for the backlog"
            assert cloud.repeats == 0

    asyncio.run(story())


def test_nothing_is_lost_when_the_broker_is_killed_without_persistence(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, limits=Limits(batch_rows=20)) as box:
                for round_ in range(3):
                    await box.receipts(200, first=round_ * 400)
                    broker.kill()
                    await box.receipts(200, first=round_ * 400 + 200)
                    broker.start()
                await until(lambda: cloud.seqs("receipts") == list(range(1, 1201)), "all receipts")
                await box.marks(1200)
            cloud.close()

    asyncio.run(story())


def test_what_the_broker_acknowledged_and_dropped_is_sent_again(tmp_path: Path) -> None:
    async def story() -> None:
        # Debian's mosquitto keeps 1000 messages for a client that is away, and drops the rest without a word.
        with mosquitto(tmp_path / "broker", "max_queued_messages 5", "max_inflight_messages 5") as broker:
            cloud = Collector(broker.port, session_s=3600)
            cloud.close()
            async with running(broker.url, tmp_path, limits=Limits(batch_rows=1)) as box:
                await box.receipts(60)
                lane = box.uplink.session.lanes["receipts"]
                await until(lambda: lane.counters["messages"] >= 60, "the broker has said yes to all")
                assert await box.marked() == 0
                again = Collector(broker.port)
                await until(lambda: again.seqs("receipts") == list(range(1, 61)), "all receipts")
                assert lane.counters["resent"] > 0
            again.close()

    asyncio.run(story())


def test_without_a_subscriber_rows_wait(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            async with running(broker.url, tmp_path) as box:
                await box.receipts(3)
                await until(lambda: "sync receipts" in box.uplink.health())
                assert box.uplink.health()["sync receipts"] == "0x10 nobody subscribes"
                cloud = Collector(broker.port)
                await until(lambda: cloud.count("receipts") == 3)
                await until(lambda: "sync receipts" not in box.uplink.health())
            cloud.close()

    asyncio.run(story())


def test_with_the_brokers_word_taken_rows_are_marked_without_a_cloud(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port, acks=False)
            async with running(broker.url, tmp_path, ack="broker") as box:
                await box.receipts(7)
                await box.marks(7)
            cloud.close()

    asyncio.run(story())


def test_a_connection_cut_in_the_middle_of_packets_loses_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker", "max_queued_messages 0") as broker:
            cloud = Collector(broker.port)
            async with (
                proxied(broker.port, cut_after=9_000) as proxy,
                running(f"mqtt://127.0.0.1:{proxy.port}", tmp_path, limits=Limits(batch_bytes=2048)) as box,
            ):
                await box.receipts(200)
                await until(lambda: proxy.cuts >= 3, "cuts")
                proxy.cut_after = 0
                proxy.cut()
                await until(lambda: cloud.seqs("receipts") == list(range(1, 201)), "all receipts")
            cloud.close()

    asyncio.run(story())


def test_a_restarted_box_goes_on_where_the_cloud_is(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path) as box:
                await box.receipts(10)
                await box.marks(10)
            async with running(broker.url, tmp_path) as box:
                await box.receipts(10, first=10)
                await until(lambda: cloud.count("receipts") == 20)
            cloud.close()
            assert cloud.repeats == 0

    asyncio.run(story())


def test_forged_stale_and_unreadable_acks_do_no_harm(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port, acks=False)
            async with running(broker.url, tmp_path) as box:
                await box.receipts(5)
                await until(lambda: cloud.count("receipts") == 5)
                epoch = box.store.epoch
                for text in (
                    f'{{"stream":"receipts","epoch":"{epoch}","through":6}}',
                    f'{{"stream":"receipts","epoch":"{epoch}","through":9007199254740991}}',
                    f'{{"stream":"receipts","epoch":"{epoch}","through":-1}}',
                    f'{{"stream":"gold","epoch":"{epoch}","through":1}}',
                    '{"stream":"receipts","epoch":"0001-00000000","through":1}',
                    "[" * 100_000,
                    "\\xff",
                ):
                    cloud.publish(f"{PREFIX}box1/ack", text.encode())
                cloud.publish(f"{PREFIX}box1/ack", f'{{"stream":"receipts","epoch":"{epoch}","through":3}}'.encode())
                await box.marks(3)
                assert box.uplink.inbox.counters["unreadable"] == 3
                assert box.uplink.session.lanes["receipts"].counters["ack_beyond"] == 2
                assert await box.marked() == 3
            cloud.close()

    asyncio.run(story())


def test_the_cloud_gets_acknowledged_rows_again_when_it_asks(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path) as box:
                await box.receipts(10)
                await box.marks(10)
                assert await box.uplink.resend("receipts", box.store.epoch, 3, 5)
                assert not await box.uplink.resend("receipts", box.store.epoch, 11, 12)
                assert not await box.uplink.resend("receipts", "0009-00000000", 1, 2)
                assert not await box.uplink.resend("gold", box.store.epoch, 1, 2)
                await until(lambda: cloud.repeats == 3)
            cloud.close()
            assert cloud.order[-3:] == [("receipts", 3), ("receipts", 4), ("receipts", 5)]

    asyncio.run(story())


def test_a_clock_that_jumps_by_a_year_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        jumps = iter([0.0, 4e9, 1.0, 1.8e9] * 100_000)
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, clock=lambda: next(jumps), heartbeat_s=1) as box:
                await box.receipts(30)
                await until(lambda: cloud.count("receipts") == 30)
                await until(lambda: len(cloud.states) >= 2)
                await box.marks(30)
            cloud.close()
            assert cloud.repeats == 0

    asyncio.run(story())
