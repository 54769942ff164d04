"""Signs of life, commands that wait for a box that is away, questions and their answers; a real mosquitto."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.envelope import Envelopes, close_answer
from edgebox.errors import StoreFull, SyncError
from sync import heartbeat
from sync.contract import Answer, Envelope, JobPhase, Reply, Reported
from tests.line_of_engine import KEYS
from tests.sync.box import running
from tests.sync.broker import PREFIX, Collector, mosquitto, needs_mosquitto, until
from tests.sync.proxy import proxied

pytestmark = needs_mosquitto


class Notes:
    """Handlers that write down what comes; `fail`: the first so many raise."""

    def __init__(self, fail: int = 0) -> None:
        self.commands: list[tuple[bytes, str | None, bytes | None]] = []
        self.bundles: list[bytes] = []
        self.fail = fail

    async def command(self, raw: bytes, response_topic: str | None, correlation: bytes | None) -> None:
        if self.fail:
            self.fail -= 1
            raise RuntimeError("a bug")
        self.commands.append((raw, response_topic, correlation))

    async def desired(self, raw: bytes) -> None:
        self.bundles.append(raw)


def test_a_box_says_that_it_is_there_what_waits_and_that_it_goes(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port, acks=False)
            async with running(broker.url, tmp_path, heartbeat_s=7) as box:
                await box.receipts(2)
                await until(lambda: cloud.count("receipts") == 2 and bool(cloud.states))
                box.uplink.beat()
                await until(lambda: any(state.backlog for state in cloud.states))
                state = cloud.states[-1]
                assert (state.box, state.online, state.epoch, state.expires_s) == ("box1", True, box.store.epoch, 21)
                assert state.backlog["receipts"].rows == 2
                assert state.health["sync"] == "ok"
            await until(lambda: not cloud.states[-1].online)
            later = Collector(broker.port)
            await until(lambda: bool(later.states))
            assert not later.states[-1].online, "retained for whoever looks later"
            later.close()
            cloud.close()

    asyncio.run(story())


def test_what_the_box_had_no_room_to_record_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path) as box:
                box.store.guard(lambda event, size: StoreFull("no room", reason="budget"))
                for _ in range(2):
                    with pytest.raises(StoreFull):
                        await box.receipts(1)
                box.uplink.beat()
                await until(lambda: any(state.refused for state in cloud.states))
                assert cloud.states[-1].refused["receipts not recorded"] >= 2
            cloud.close()

    asyncio.run(story())


def test_a_box_that_is_gone_without_a_word_is_reported_by_its_will(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "WILL_DELAY_S", 0)

    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, session_expiry_s=0) as box:
                await until(lambda: bool(cloud.states))
                box.uplink._session.is_connected = False  # a power cut says no goodbye
                assert box.uplink._client is not None
                await box.uplink._client.close(silent=True)
                await until(lambda: not cloud.states[-1].online)
                assert cloud.states[-1].at == 0, "nobody knows when"
            cloud.close()

    asyncio.run(story())


@pytest.mark.parametrize("will", [True, False])
def test_without_retained_messages_signs_of_life_still_come(tmp_path: Path, will: bool) -> None:
    """Such a broker refuses whoever wants his will retained (0x9A): the next attempt is without."""

    async def story() -> None:
        with mosquitto(tmp_path / "broker", "retain_available false") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, heartbeat_s=1, retain=True, will=will) as box:
                await until(lambda: len(cloud.states) >= 2)
                assert box.uplink.counters["failed retain"] == will
            cloud.close()

    asyncio.run(story())


def test_a_command_waits_for_a_box_that_is_away(tmp_path: Path) -> None:
    async def story() -> None:
        notes = Notes()
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, handlers=notes) as box:
                await until(lambda: box.uplink.is_connected)
                cloud.publish(
                    f"{PREFIX}box1/cmd", b"one", ResponseTopic="edgebox/v1/acme/reply/7", CorrelationData=b"c"
                )
                cloud.publish(f"{PREFIX}box1/desired", b"bundle")
                await until(lambda: len(notes.commands) == 1 and len(notes.bundles) == 1)
            cloud.publish(f"{PREFIX}box1/cmd", b"two")
            async with running(broker.url, tmp_path, handlers=notes) as box:
                await until(lambda: len(notes.commands) == 2)
                assert box.uplink.counters["sessions resumed"] == 1
            cloud.close()
        assert notes.commands == [(b"one", "edgebox/v1/acme/reply/7", b"c"), (b"two", None, None)]

    asyncio.run(story())


def test_a_bug_in_a_handler_stops_neither_rows_nor_the_next_command(tmp_path: Path) -> None:
    async def story() -> None:
        notes = Notes(fail=1)
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path, handlers=notes) as box:
                await until(lambda: box.uplink.is_connected)
                for text in (b"one", b"two"):
                    cloud.publish(f"{PREFIX}box1/cmd", text)
                await box.receipts(1)
                await until(lambda: cloud.count("receipts") == 1 and [raw for raw, *_ in notes.commands] == [b"two"])
                assert box.uplink.inbox.counters["handler failed"] == 1
            cloud.close()

    asyncio.run(story())


def test_replies_go_where_they_are_wanted_and_reports_come_with_every_connection(tmp_path: Path) -> None:
    async def story() -> None:
        reply = Reply(id="j1", box="box1", command="ping", state=JobPhase.SUCCEEDED)
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with (
                proxied(broker.port) as proxy,
                running(f"mqtt://127.0.0.1:{proxy.port}", tmp_path) as box,
            ):
                box.uplink.reply(reply, "edgebox/v1/acme/fleet/reply/7", b"c7")
                box.uplink.reply(reply, "edgebox/v1/other/reply/7", b"c8")
                box.uplink.report(Reported(box="box1"))
                await until(lambda: len(cloud.others) == 3)
                proxy.cut()
                await until(lambda: [topic for topic, *_ in cloud.others].count(f"{PREFIX}box1/reported") == 2)
            cloud.close()
        found = {topic: properties for topic, _, properties in cloud.others}
        assert found["edgebox/v1/acme/fleet/reply/7"].CorrelationData == b"c7"
        assert f"{PREFIX}box1/reply" in found, "another tenant's topic is not spoken at"
        assert "edgebox/v1/other/reply/7" not in found

    asyncio.run(story())


def test_a_question_is_answered_or_given_up_in_time(tmp_path: Path) -> None:
    def answer(asked: bytes, **fields: Any) -> bytes:
        envelope = msgspec.json.decode(asked, type=Envelope)
        text = msgspec.json.encode(Answer(id=envelope.id, **fields))
        return msgspec.json.encode(close_answer(KEYS.epochs[-1].key, "box1", envelope, text))

    async def story() -> None:
        with mosquitto(tmp_path / "broker") as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, tmp_path) as box:
                with pytest.raises(SyncError) as offline:
                    await box.uplink.ask("coupon", {}, "q0", 1.0)
                assert offline.value.reason == "offline"
                await until(lambda: box.uplink.is_connected)
                with pytest.raises(SyncError) as keyless:
                    await box.uplink.ask("coupon", {}, "q0", 1.0)
                assert keyless.value.reason == "no_keys"
                box.uplink.envelopes = Envelopes("box1", lambda: KEYS)
                asked = asyncio.ensure_future(box.uplink.ask("coupon", {"code": "COUPON-1"}, "q1", 5.0))
                await until(lambda: len(cloud.asks) == 1)
                topic, payload, properties = cloud.asks[0]
                assert (topic, properties.ResponseTopic) == (f"{PREFIX}box1/ask", f"{PREFIX}box1/answer")
                assert b"COUPON-1" not in payload, "whoever reads it may use it"
                forged = answer(payload.replace(b'"q1"', b'"q9"'), ok=True).replace(b'"q9"', b'"q1"')
                for raw in (msgspec.json.encode(Answer(id="q1", ok=True)), forged, payload):
                    cloud.publish(properties.ResponseTopic, raw, CorrelationData=properties.CorrelationData)
                await until(lambda: box.uplink.inbox.counters["answers that fit no question"] == 2)
                assert not asked.done()
                right = answer(payload, ok=True, result={"value": 5})
                cloud.publish(properties.ResponseTopic, right, CorrelationData=properties.CorrelationData)
                assert (await asked).result == {"value": 5}
                with pytest.raises(SyncError) as late:
                    await box.uplink.ask("coupon", {}, "q2", 0.05)
                assert late.value.reason == "no_answer"
                await until(lambda: len(cloud.asks) == 2)
                cloud.publish(f"{PREFIX}box1/answer", answer(cloud.asks[1][1], ok=True))
                await until(lambda: box.uplink.inbox.counters["late answers"] == 1)
                again = asyncio.ensure_future(box.uplink.ask("coupon", {}, "q2", 5.0))
                await until(lambda: len(cloud.asks) == 3)
                cloud.publish(f"{PREFIX}box1/answer", answer(cloud.asks[2][1], ok=False, reason="spent"))
                assert (await again).reason == "spent", "the same question may be asked again"
            cloud.close()

    asyncio.run(story())
