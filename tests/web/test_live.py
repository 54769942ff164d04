"""What is new, told to open pages: soon, never twice, never more than a page can hear, and only while it may."""

import asyncio

import pytest

from edgebox.web import live
from edgebox.web.live import Hub


async def heard(hub: Hub, seconds: float = 1.0) -> bytes:
    stream = hub.stream(lambda: True)
    found = b""
    try:
        async with asyncio.timeout(seconds):
            async for part in stream:
                found += part
                if b"event:" in found:
                    break
    except TimeoutError:
        pass
    await stream.aclose()  # type: ignore[attr-defined]
    return found


async def until_listening(hub: Hub) -> None:
    for _ in range(1000):
        if len(hub):
            return
        await asyncio.sleep(0)
    raise AssertionError("nobody listens")


def test_a_page_hears_of_a_receipt_within_a_second() -> None:
    async def story() -> None:
        hub = Hub(4)
        listening = asyncio.create_task(heard(hub))
        await until_listening(hub)
        hub.tell("receipt", "abc-1")
        assert b"event: receipt\ndata: abc-1\n\n" in await listening

    asyncio.run(story())


def test_a_slow_page_hears_the_newest_of_each_kind_and_keeps_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GAP_S", 0.0)

    async def story() -> None:
        hub = Hub(4)
        listening = asyncio.create_task(heard(hub))
        await until_listening(hub)
        for number in range(10_000):
            hub.tell("receipt", number)
        hub.tell("health")
        said = await listening
        assert said.count(b"event: receipt") == 1
        assert b"data: 9999\n" in said

    asyncio.run(story())


def test_more_pages_than_allowed_are_refused_and_counted() -> None:
    async def story() -> None:
        hub = Hub(2)
        streams = [hub.stream(lambda: True) for _ in range(2)]
        for stream in streams:
            await anext(stream)
        with pytest.raises(Exception, match="too_many"):
            hub.check_room()
        with pytest.raises(Exception, match="too_many"):
            await anext(hub.stream(lambda: True))
        assert hub.refused == 2
        await streams[0].aclose()  # type: ignore[attr-defined]
        hub.check_room()
        await streams[1].aclose()  # type: ignore[attr-defined]

    asyncio.run(story())


def test_a_page_whose_user_is_signed_out_hears_that_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.01)

    async def story() -> None:
        hub = Hub(2)
        answers = iter([True, True, False])
        found = [part async for part in hub.stream(lambda: next(answers))]
        assert found[-1] == b"event: over\ndata:\n\n"
        assert b": beat\n\n" in found
        assert len(hub) == 0

    asyncio.run(story())


def test_an_id_can_end_no_event() -> None:
    async def story() -> None:
        hub = Hub(1)
        listening = asyncio.create_task(heard(hub))
        await until_listening(hub)
        hub.tell("receipt", "1\n\nevent: over\ndata: " + "x" * 500)
        said = await listening
        assert [line for line in said.split(b"\n") if line.startswith(b"event:")] == [b"event: receipt"]
        assert len(said) < 200

    asyncio.run(story())


def test_at_the_end_open_pages_end_at_once_and_may_come_back() -> None:
    async def story() -> None:
        hub = Hub(2)

        async def listen() -> list[bytes]:
            return [part async for part in hub.stream(lambda: True)]

        listening = asyncio.create_task(listen())
        await until_listening(hub)
        hub.close()
        said = await asyncio.wait_for(listening, 1)
        assert b"event: over\ndata:\n\n" not in said
        assert len(hub) == 0

    asyncio.run(story())
