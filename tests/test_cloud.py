"""The engine's link to the cloud: there, seen in the health, and never in the engine's way."""

import asyncio
from pathlib import Path

import pytest

from edgebox import cloud
from edgebox.cloud import CloudLink, state_of
from edgebox.settings import SyncSettings
from edgebox.store.store import Store
from tests.sync.box import receipt, settings
from tests.sync.broker import Collector, mosquitto, needs_mosquitto, until


class Book:
    """Keeps the parts' states, as the engine's health does."""

    def __init__(self) -> None:
        self.noted: dict[str, tuple[str, str]] = {}

    def note(self, part: str, state: str, words: str = "") -> None:
        self.noted[part] = state, words

    def states(self) -> dict[str, str]:
        return {part: state for part, (state, _) in self.noted.items()}


@needs_mosquitto
def test_the_cloud_gets_rows_and_sees_the_engines_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud, "LOOK_S", 0.01)

    async def story() -> None:
        book, faults = Book(), []
        book.note("store", "ok")
        with mosquitto(tmp_path / "broker") as broker:
            collector = Collector(broker.port)
            store = Store.open(tmp_path / "store")
            link = CloudLink(
                settings(broker.url, tmp_path),
                lambda *fault: faults.append(fault),
                health=book,
                lines=lambda: {"line1": "connected"},
            )
            link.start(store)
            await store.record(receipt(1))
            await until(lambda: collector.count("receipts") == 1 and bool(collector.states))
            await until(lambda: book.noted.get("sync") == ("ok", ""))
            state = collector.states[0]
            assert state.health["store"] == "ok"
            assert state.lines == {"line1": "connected"}
            assert state.version
            assert state.boot
            broker.kill()
            monkeypatch.setattr(cloud, "GRACE_LOOKS", 1)
            await until(lambda: book.noted["sync"][0] == "failed")
            broker.start()
            await until(lambda: book.noted["sync"] == ("ok", ""))
            await link.stop()
            await store.close()
            collector.close()
        assert faults == []

    asyncio.run(story())


@pytest.mark.parametrize("url", ["mqtt://cloud.example", "mqtts://cloud.example"])
def test_settings_that_can_not_work_are_said_once_and_the_engine_goes_on(tmp_path: Path, url: str) -> None:
    async def story() -> None:
        faults: list[str] = []
        store = Store.open(tmp_path / "store")
        link = CloudLink(SyncSettings(url=url, box="b1"), lambda part, words, _: faults.append(words))
        link.start(store)
        await until(lambda: len(faults) == 1)
        assert (await store.record(receipt(1)))[0].seq == 1
        await link.stop()
        await store.close()
        assert len(faults) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("ok", "ok"),
        ("good for 40 days", "ok"),
        ("expires in 3 days", "warning"),
        ("expired", "failed"),
        ("0x87 not authorized", "failed"),
    ],
)
def test_the_links_words_come_to_a_state(words: str, state: str) -> None:
    assert state_of(words) == state
