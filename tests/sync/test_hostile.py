"""What a broker may send to a box: anything. The box stays up, small, and goes on recording."""

import asyncio
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.arrivals import Incoming
from sync.inbox import WAITING_BYTES, Inbox
from sync.topics import Topics
from sync.wire import PACKET_BYTES
from tests.sync.box import running
from tests.sync.broker import PREFIX, Collector, mosquitto, needs_mosquitto, until
from tests.sync.scripted import ScriptedBroker, listening, packet, text

HUGE = b"\x32\xff\xff\xff\x7f"  # a PUBLISH of 256 MB


def _url(broker: ScriptedBroker) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


def test_a_packet_of_256_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async def story() -> None:
        broker = ScriptedBroker()
        async with listening(broker), running(_url(broker), tmp_path) as box:
            await until(lambda: box.uplink.is_connected)
            tracemalloc.start()
            broker.send(HUGE + bytes(4 << 20))
            await until(lambda: box.uplink.counters["failed lost"] >= 1)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < (4 << 20) + 16 * PACKET_BYTES, "what it sent and what we keep"
            await until(lambda: box.uplink.counters["connections"] >= 2)

    asyncio.run(story())


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x00",
        b"\xf0\x00",
        b"\x40\x01\x00",
        b"\x40\x00",
        b"\x20\x00",
        b"\x90\x02\x00\x01",
        b"\x32\x02\x00\xff",
        b"\x32\xff\xff\xff\xff\xff",
        packet(0x32, text("t") + b"\0\1" + b"\x03\x26\xff\xff"),
        packet(0x34, text(f"{PREFIX}box1/cmd") + b"\0\1\0" + b"x"),
        packet(0x90, b"\0\1\0" + bytes(250_000)),
        packet(0xE0, b"\x00" + bytes(250_000)),
        packet(0x32, b"\0\2\xff\xfe" + b"\0\1\0" + b"x") + b"\x40\x02\0\0" + b"\xd0\x05hello",
    ],
)
def test_malformed_packets_end_the_connection_and_not_the_box(tmp_path: Path, raw: bytes) -> None:
    async def story() -> None:
        broker = ScriptedBroker()
        async with listening(broker), running(_url(broker), tmp_path) as box:
            await until(lambda: box.uplink.is_connected)
            broker.send(raw)
            broker.send(b"\xe0\x02\x8b\x00")
            await until(lambda: box.uplink.counters["connections"] >= 2)
            await box.receipts(1)
            await until(lambda: box.uplink.session.lanes["receipts"].counters["rows"] >= 1)

    asyncio.run(story())


def test_more_messages_than_can_be_kept_come_again_with_the_next_connection(tmp_path: Path) -> None:
    async def story() -> None:
        go_on = asyncio.Event()

        class Slow:
            async def command(self, raw: bytes, response_topic: str | None, correlation: bytes | None) -> None:
                await go_on.wait()

            async def desired(self, raw: bytes) -> None:
                raise AssertionError("none was sent")

        broker = ScriptedBroker()
        async with listening(broker), running(_url(broker), tmp_path, handlers=Slow()) as box:
            await until(lambda: box.uplink.is_connected)
            for mid in range(1, 21):
                broker.publish(f"{PREFIX}box1/cmd", b"x" * 250_000, mid)
            await until(lambda: box.uplink.inbox.counters["too many"] == 20 - WAITING_BYTES // 250_000 - 1)
            await box.receipts(1)
            await until(lambda: box.uplink.session.lanes["receipts"].counters["rows"] == 1, "rows go on")
            go_on.set()
            await until(lambda: box.uplink.counters["connections"] == 2)

    asyncio.run(story())


@needs_mosquitto
def test_a_burst_of_commands_is_heard_to_the_last_one(tmp_path: Path) -> None:
    """mosquitto 2.0.11 sends far more than Receive Maximum, and what is dropped does not come again."""

    async def story() -> None:
        heard: list[bytes] = []

        class Slow:
            async def command(self, raw: bytes, response_topic: str | None, correlation: bytes | None) -> None:
                heard.append(raw)
                await asyncio.sleep(0.002)

            async def desired(self, raw: bytes) -> None:
                raise AssertionError("none was sent")

        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, handlers=Slow()) as box:
                await until(lambda: box.uplink.is_connected)
                await until(lambda: bool(cloud.states))
                for number in range(300):
                    cloud.publish_soon(f"{PREFIX}box1/cmd", b"%d" % number)
                await until(lambda: len(heard) == 300)
                assert heard == [b"%d" % number for number in range(300)]
                assert box.uplink.counters["connections"] == 1
            cloud.close()

    asyncio.run(story())


class _Never:
    """Handlers that nothing may reach."""

    async def command(self, raw: bytes, response_topic: str | None, correlation: bytes | None) -> None:
        raise AssertionError

    async def desired(self, raw: bytes) -> None:
        raise AssertionError


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["ack", "answer", "other", ""]),
    st.one_of(
        st.binary(max_size=200),
        JSON.map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries(
            {"stream": JSON, "epoch": JSON, "through": JSON, "missing": JSON, "id": JSON, "ok": JSON}
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_whatever_comes_in_is_counted_or_read_and_raises_nothing(topic: str, payload: bytes) -> None:
    async def story() -> None:
        topics = Topics("a/{box}", tenant="", store="", box="box1")
        inbox, seen = Inbox(topics, _Never(), lambda _: None), []
        task = asyncio.ensure_future(inbox.serve(seen.append))
        inbox.put(Incoming(1, f"a/box1/{topic}", payload, None, None))
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(seen) == 1, "answered, so that it does not come again"
        task.cancel()

    asyncio.run(story())
