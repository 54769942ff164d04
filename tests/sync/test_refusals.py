"""A broker that refuses: every reason is counted and shown, no row is lost, and one poisoned row stops no stream."""

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from edgebox.store.events import Stream
from hw_sim.cloud.broker import Access, Broker
from sync.contract import Ack, BundleState, JobPhase, Reply, Reported
from sync.session.window import Limits
from tests.sync.box import receipt, running
from tests.sync.broker import PREFIX, Collector, mosquitto, needs_mosquitto, until
from tests.sync.scripted import Published, ScriptedBroker, listening


def rows(broker: ScriptedBroker) -> set[int]:
    """Numbers of the receipts that came in."""
    return {row.seq for sent in broker.published if "/up/receipts" in sent.topic for row in sent.batch.rows}


def url(broker: ScriptedBroker) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


@needs_mosquitto
def test_a_box_without_the_right_to_publish_keeps_its_rows_and_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        with Broker(tmp_path / "broker", access=Access.PASSWORD) as broker:
            broker.admit_cloud("edgebox/#")
            account = broker.admit_box("box1", f"{PREFIX}box1")
            folder = tmp_path / "credentials"
            folder.mkdir()
            (folder / "password").write_text(account.password)
            (folder / "password").chmod(0o600)
            broker.deny("box1")
            async with running(broker.url, tmp_path, user="box1", ack="broker") as box:
                await box.receipts(3)
                await until(lambda: box.uplink.refused().get("receipts", 0) >= 2)
                assert box.uplink.health()["sync receipts"] == "0x87 not authorized"
                assert await box.marked() == 0
                broker.allow("box1")
                await until(lambda: box.uplink.session.lanes["receipts"].counters["rows"] == 3)
                assert box.uplink.health()["sync receipts"] == "0x10 nobody subscribes", "delivered, with a warning"
            broker.stop()

    asyncio.run(story())


@pytest.mark.parametrize("reason", [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])
def test_whatever_a_puback_refuses_is_sent_again_until_it_is_taken(tmp_path: Path, reason: int) -> None:
    async def story() -> None:
        refusals = iter([reason] * 2)
        broker = ScriptedBroker(lambda sent: next(refusals, 0) if "/up/" in sent.topic else 0)
        async with listening(broker), running(url(broker), tmp_path) as box:
            await box.store.record(*[receipt(number) for number in range(8)])
            lane = box.uplink.session.lanes["receipts"]
            await until(lambda: lane.counters["rows"] == 8 and not box.uplink.session.refused)
            assert box.uplink.refused() == {"receipts": 2}

    asyncio.run(story())


@pytest.mark.parametrize("reason", [0x99, 0x83])
def test_one_poisoned_row_is_set_aside_and_the_rest_arrives(tmp_path: Path, reason: int) -> None:
    async def story() -> None:
        def answer(sent: Published) -> int:
            return reason if "/up/" in sent.topic and any(row.seq == 13 for row in sent.batch.rows) else 0

        broker = ScriptedBroker(answer)
        async with listening(broker), running(url(broker), tmp_path) as box:
            await box.store.record(*[receipt(number) for number in range(40)])
            lane = box.uplink.session.lanes["receipts"]
            await until(lambda: lane.counters["rows"] == 39 and lane.quarantined == 1)
            await box.receipts(1, first=40)
            await until(lambda: lane.counters["rows"] == 40, "the stream goes on")
            assert box.uplink.refused()["receipts set aside"] == 1
            ack = Ack(stream="receipts", epoch=box.store.epoch, through=12)
            broker.publish(f"{PREFIX}box1/ack", msgspec.json.encode(ack))
            await box.marks(12)
            kept = await box.store.rows(Stream.RECEIPTS, (box.store.epoch, 12), limit_rows=1, limit_bytes=1)
            assert kept[0].seq == 13

    asyncio.run(story())


@pytest.mark.parametrize("reason", [0x95, 0x81])
def test_a_row_that_ends_the_connection_each_time_stops_only_itself(tmp_path: Path, reason: int) -> None:
    async def story() -> None:
        broker = ScriptedBroker()
        broker.disconnect = lambda sent: reason if "/up/" in sent.topic and _holds(sent, 5) else 0
        async with listening(broker), running(url(broker), tmp_path, limits=Limits(batch_rows=4)) as box:
            await box.store.record(*[receipt(number) for number in range(12)])
            lane = box.uplink.session.lanes["receipts"]
            await until(lambda: lane.quarantined == 1)
            await until(lambda: rows(broker) == set(range(1, 13)), "all others")
            assert broker.connects < 12
            assert box.uplink.refused()["receipts set aside"] == 1

    asyncio.run(story())


def test_no_more_is_out_than_the_broker_says_it_takes(tmp_path: Path) -> None:
    async def story() -> None:
        broker = ScriptedBroker(lambda _: None, connack=b"\x21\x00\x03")  # Receive Maximum 3
        async with listening(broker), running(url(broker), tmp_path, limits=Limits(batch_rows=1)) as box:
            await box.receipts(20)
            await until(lambda: len(broker.published) == 3)
            await asyncio.sleep(0.1)
            assert len(broker.published) == 3

    asyncio.run(story())


def test_batches_keep_to_the_brokers_largest_packet(tmp_path: Path) -> None:
    async def story() -> None:
        broker = ScriptedBroker(connack=b"\x27\x00\x00\x08\x00")  # Maximum Packet Size 2048
        async with listening(broker), running(url(broker), tmp_path) as box:
            await box.store.record(*[receipt(number) for number in range(100)])
            await until(lambda: rows(broker) == set(range(1, 101)))
            assert max(len(sent.payload) for sent in broker.published) <= 2048 - 512

    asyncio.run(story())


@needs_mosquitto
def test_a_broker_that_takes_only_short_messages_gets_them_and_the_rest_is_said(tmp_path: Path) -> None:
    """It hangs up at a longer one: a sign of life or a report that is too long must not end every connection."""
    kinds = {name: BundleState(state="rejected", rejected={"k" * 80: "w" * 200}) for name in ("config", "rules")}
    long = Reply(id="c1", box="box1", command="config.get", state=JobPhase.SUCCEEDED, result={"values": "v" * 2000})

    async def story() -> None:
        with mosquitto(tmp_path / "broker", "max_packet_size 1024") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path) as box:
                box.uplink.report(Reported(box="box1", bundles=kinds))
                await until(lambda: box.uplink.is_connected)
                box.uplink.reply(long)
                box.uplink.reply(msgspec.structs.replace(long, result={}, words="v" * 2000))
                await box.receipts(3)
                await until(lambda: cloud.count("receipts") == 3 and bool(cloud.states))
                await until(lambda: any(topic.endswith("/reported") for topic, *_ in cloud.others))
                (reply,) = [msgspec.json.decode(raw, type=Reply) for name, raw, _ in cloud.others if "/reply" in name]
                assert (reply.result, "larger than" in reply.words) == ({}, True)
                assert box.uplink.counters["connections"] == 1
                assert box.uplink.session.counters["too large reply"] == 1
            cloud.close()

    asyncio.run(story())


def test_a_broker_without_acknowledged_messages_is_no_broker_for_us(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            listening(ScriptedBroker(connack=b"\x24\x00")) as broker,
            running(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as box,
        ):
            await until(lambda: "QoS 0" in box.uplink.why)
            assert not box.uplink.is_connected

    asyncio.run(story())


def test_a_refused_connection_is_tried_again_with_patience_and_shown(tmp_path: Path) -> None:
    async def story() -> None:
        broker = ScriptedBroker(connack_reason=0x87)
        async with listening(broker), running(url(broker), tmp_path) as box:
            await until(lambda: broker.connects >= 2)
            assert "Not authorized" in box.uplink.health()["sync"]
            assert box.uplink.counters["failed refused"] >= 1
            await box.receipts(2)
            assert await box.marked() == 0

    asyncio.run(story())


@needs_mosquitto
def test_two_boxes_with_one_name_are_found_out_and_do_not_storm(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:  # 2.0 hangs up on the first one without a reason
            async with (
                running(broker.url, tmp_path / "one", chance=random.Random(1)) as one,
                running(broker.url, tmp_path / "two", chance=random.Random(2)) as two,
            ):
                await until(lambda: all("sync connection" in box.uplink.health() for box in (one, two)))
                assert sum(box.uplink.counters["connections"] for box in (one, two)) < 30

    asyncio.run(story())


def test_a_box_whose_session_is_taken_over_again_and_again_slows_down_and_says_why(tmp_path: Path) -> None:
    async def story() -> None:
        broker = ScriptedBroker()
        broker.disconnect = lambda _: 0x8E
        async with listening(broker), running(url(broker), tmp_path, backoff_max_s=1) as box:
            await until(lambda: "sync name" in box.uplink.health())
            assert box.uplink.counters["taken over"] >= 3
            before = broker.connects
            await asyncio.sleep(1.0)
            assert broker.connects - before <= 2, "at least half a second apart"

    asyncio.run(story())


def _holds(sent: Published, seq: int) -> bool:
    return any(row.seq == seq for row in sent.batch.rows)
