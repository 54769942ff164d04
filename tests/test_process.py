"""The engine's process: a store that can't be opened yet is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import msgspec
import pytest

from edgebox import config, process
from edgebox.engine import Engine
from edgebox.errors import StoreError
from edgebox.settings import Config
from edgebox.store.sidecar import Sidecar
from edgebox.store.store import Store
from tests.faults.small_disk import fill, free, small_disk, why_not


def settings(data: Path, sockets: Path) -> Config:
    """An engine of its own."""
    shipped = config.load(None, [])
    engine = msgspec.structs.replace(shipped.engine, data=str(data), socket=str(sockets / "engine.sock"))
    return msgspec.structs.replace(shipped, engine=engine)


async def nothing() -> None:
    """No fleet."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "AGAIN_S", 0.02)


def test_the_engine_waits_for_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("in the way")

    async def play() -> None:
        engine = Engine(settings(data, tmp_path), None)
        starting = asyncio.create_task(process.started(engine, nothing, asyncio.Event()))
        await asyncio.sleep(0.1)
        assert not starting.done()
        data.unlink()
        assert await asyncio.wait_for(starting, 10)
        assert engine.store is not None
        await engine.stop()

    asyncio.run(play())


def test_who_waits_for_the_store_can_be_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")

    async def play() -> None:
        engine, stop = Engine(settings(tmp_path / "data", tmp_path), None), asyncio.Event()
        starting = asyncio.create_task(process.started(engine, nothing, stop))
        await asyncio.sleep(0.05)
        stop.set()
        assert not await asyncio.wait_for(starting, 10)
        await engine.stop()

    asyncio.run(play())


def test_a_second_engine_does_not_wait(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    other = Sidecar(tmp_path / "data")

    async def play() -> None:
        with pytest.raises(StoreError, match="another engine"):
            await process.started(Engine(settings(tmp_path / "data", tmp_path), None), nothing, asyncio.Event())

    asyncio.run(play())
    other.close()


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_disk_that_is_full_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        Store.open(disk).close_now()
        fill(disk)

        async def play() -> None:
            engine = Engine(settings(disk, tmp_path), None)
            starting = asyncio.create_task(process.started(engine, nothing, asyncio.Event()))
            await asyncio.sleep(0.3)
            assert not starting.done()
            free(disk)
            assert await asyncio.wait_for(starting, 10)
            await engine.stop()

        asyncio.run(play())


def test_systemd_hears_of_the_engine_as_long_as_its_store_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000")

        async def heard() -> str:
            return (await asyncio.to_thread(manager.recv, 100)).decode()

        async def play() -> None:
            engine = Engine(settings(tmp_path / "data", tmp_path), None)
            told = process.Told(engine)
            assert await heard() == "READY=1"
            assert await heard() == "WATCHDOG=1", "the loop turns, and no store is there yet"
            await engine.start()
            assert await heard() == "WATCHDOG=1"
            assert engine.store is not None
            monkeypatch.setattr(engine.store, "read", lambda work: asyncio.sleep(3600))  # as on a disk that hangs
            with contextlib.suppress(TimeoutError):
                while True:  # one that was on its way
                    manager.settimeout(0.2)
                    await heard()
            told.stop()
            manager.settimeout(5)
            assert await heard() == "STOPPING=1"
            await engine.stop()

        asyncio.run(play())
