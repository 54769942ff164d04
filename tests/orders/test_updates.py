"""The command `update`: from the signed words to the outcome, through restarts of the engine that carries it out."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.trial import Forget, Keep, Outcome, Tell
from edgebox.appliance.update import inbox
from edgebox.appliance.update.fetching import Fetch, Pace, Source
from edgebox.orders import updates
from edgebox.orders.updates import FACT, Job, Means, UpdateDesk
from edgebox.pulse import Pulse
from sync.contract import JobPhase, Reply
from sync.steps import Ended
from tests.appliance.update.server import Files
from tests.appliance.update.test_trial import TRIAL, disk
from tests.box_of_orders import Box, box
from tests.sync.fleet import NOW

CONTENT = b"an update file" * 1000


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


@pytest.fixture
def slots(folder: Path) -> Slots:
    return disk(folder / "opt")


@asynccontextmanager
async def shop_with(folder: Path, now: int = NOW, **means: Any) -> AsyncIterator[Box]:
    """A box with slots, whose desk is quick; `url` of the contract is https only, so the test's own is put in later."""
    desks: list[UpdateDesk] = []
    real = updates.UpdateDesk

    def quick(given: Means) -> UpdateDesk:
        quicker: dict[str, Any] = {"home": folder / "opt", "pace": Pace(1 << 40), "period_s": 0.01, **means}
        desks.append(real(given._replace(**quicker)))
        return desks[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgebox.orders.orders.UpdateDesk", quick)
        patch.setattr("edgebox.orders.updates._tls", lambda credentials: None)
        async with box(folder, now=now) as shop:
            yield shop


def args(content: bytes = CONTENT, **more: Any) -> dict[str, Any]:
    made = {"version": "2.0.0", "url": "https://x.example/e.update", "sha256": hashlib.sha256(content).hexdigest()}
    return {**made, "size": len(content), **more}


def shown(reply: Reply) -> tuple[str, str]:
    return reply.state.value, reply.reason


def from_here(monkeypatch: pytest.MonkeyPatch, files: Files) -> None:
    """What is commanded comes from the test's own server."""

    def here(folder: Path, source: Source, **more: Any) -> Fetch:
        return Fetch(folder, msgspec.structs.replace(source, url=files.url), **more)

    monkeypatch.setattr(updates, "Fetch", here)


def told(slots: Slots, outcome: Outcome, reason: str = "", words: str = "") -> None:
    slots.do([Tell(outcome, "2.0.0", "u1", reason, words), Forget()])


@pytest.mark.parametrize(
    ("outcome", "reason", "state"),
    [
        (Outcome.COMMITTED, "", ("succeeded", "")),
        (Outcome.ROLLED_BACK, "crash", ("failed", "rolled_back")),
        (Outcome.REFUSED, "bad_signature", ("failed", "bad_signature")),
    ],
)
def test_an_update_is_fetched_handed_to_root_and_its_outcome_told(
    folder: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, reason: str, state: tuple[str, str]
) -> None:
    async def play() -> None:
        with Files(CONTENT) as files:
            from_here(monkeypatch, files)
            files.cuts = [3000]
            async with shop_with(folder) as shop:
                await shop.begin("update", args(), id="u1")
                there = folder / "data" / inbox.FOLDER
                await shop.until((there / inbox.REQUEST).exists)
                assert (there / inbox.NEXT).read_bytes() == CONTENT
                assert inbox.asked(there) == inbox.Request(job="u1", at=NOW)
                told(slots, outcome, reason, "line1 fell")
                reply = await shop.end("u1")
                assert shown(reply) == state
                assert ("line1 fell" in reply.words) == (outcome is not Outcome.COMMITTED)
                await shop.until(lambda: list(there.iterdir()) == [])  # nothing is left behind
                assert shown(await shop.give("update", args(), id="u1")) == state, "the same id again: the same answer"

    asyncio.run(play())


def test_an_update_goes_on_over_a_restart_in_the_middle_of_the_fetching(
    folder: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        with Files(CONTENT) as files:
            from_here(monkeypatch, files)
            files.cuts, files.says = [3000], []
            async with shop_with(folder, period_s=1000.0) as shop:
                await shop.begin("update", args(), id="u1")
                await shop.until(lambda: len(files.asked) == 1)
                part = folder / "data" / inbox.FOLDER / inbox.PART
                await shop.until(lambda: part.exists() and part.stat().st_size == 3000)
            async with shop_with(folder) as later:
                await later.until((folder / "data" / inbox.FOLDER / inbox.REQUEST).exists)
                assert files.asked == ["", "bytes=3000-"]
                told(slots, Outcome.COMMITTED)
                assert shown(await later.end("u1")) == ("succeeded", "")

    asyncio.run(play())


def test_the_engine_behind_the_switch_tells_how_it_ended(
    folder: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        with Files(CONTENT) as files:
            from_here(monkeypatch, files)
            async with shop_with(folder) as shop:
                await shop.begin("update", args(), id="u1")
                await shop.until((folder / "data" / inbox.FOLDER / inbox.REQUEST).exists)
                slots.do([Keep(TRIAL._replace(job="u1"))])
            async with shop_with(folder) as tried:
                assert [reply for reply in tried.way.replies if reply.id == "u1"] == [], "not while it is tried"
                assert shown(await tried.give("update", args())) == ("failed", "busy")
            told(slots, Outcome.ROLLED_BACK, "boot_loop")
            async with shop_with(folder) as again:
                assert shown(await again.end("u1")) == ("failed", "rolled_back")
                await again.until(lambda: not (folder / "data" / inbox.FOLDER / inbox.REQUEST).exists())
                assert not await again.store.get(FACT)

    asyncio.run(play())


def test_root_is_asked_again_if_the_mains_went_before_it_had_listened(folder: Path, slots: Slots) -> None:
    async def play() -> None:
        request = folder / "data" / inbox.FOLDER / inbox.REQUEST
        async with shop_with(folder) as shop:
            source = Source(url="https://x.example/", sha256="0" * 64, size=1)
            job = Job(id="u1", version="2.0.0", source=source, begun=NOW, handed=NOW)
            await shop.store.put(FACT, msgspec.json.encode(job))
        assert not request.exists()
        async with shop_with(folder, now=NOW + 10 * 3600) as later:  # the shop was closed, and switched off
            await later.until(request.exists)
            await asyncio.sleep(0.1)
            assert await later.store.get(FACT), "a night is no time that root has had"

    asyncio.run(play())


@pytest.mark.parametrize(
    ("harm", "state"),
    [
        ("gone", ("failed", "http_404")),
        ("another", ("failed", "bad_digest")),
        ("too late", ("failed", "timeout")),
        ("no word", ("failed", "no_outcome")),
    ],
)
def test_what_does_not_come_ends_with_a_reason(
    folder: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch, harm: str, state: tuple[str, str]
) -> None:
    async def play() -> None:
        with Files(CONTENT) as files:
            from_here(monkeypatch, files)
            files.says = [404] if harm == "gone" else [503] * 50 if harm == "too late" else []
            files.content = b"x" * len(CONTENT) if harm == "another" else CONTENT
            async with shop_with(folder) as shop:
                await shop.begin("update", args(), id="u1")
                if harm in ("too late", "no word"):
                    await shop.until(lambda: bool(files.asked))
                    if harm == "no word":
                        await shop.until((folder / "data" / inbox.FOLDER / inbox.REQUEST).exists)
                        monkeypatch.setattr(updates, "OUTCOME_MAX_S", 0.1)
                    shop.clocks = shop.clocks._replace(at_ms=(NOW + 100_000) * 1000)
                assert shown(await shop.end("u1")) == state
                shop.clocks = shop.clocks._replace(at_ms=NOW * 1000)
                large = await shop.give("update", args(size=1 << 29))
                assert shown(large) == ("failed", "bad_size"), "the next may come"

    asyncio.run(play())


def test_an_outcome_is_told_though_the_mains_go_while_it_is(
    folder: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgotten before it was told, a box that runs the new version would have said that it failed."""

    being_told = asyncio.Event()

    async def finish(job: str, ended: Ended) -> None:
        if ended.phase is JobPhase.SUCCEEDED:
            being_told.set()
            await asyncio.sleep(3600)  # and here the mains go

    async def play() -> None:
        with Files(CONTENT) as files:
            from_here(monkeypatch, files)
            async with shop_with(folder, finish=finish) as shop:
                await shop.begin("update", args(), id="u1")
                told(slots, Outcome.COMMITTED)
                await being_told.wait()
        async with shop_with(folder) as later:
            assert shown(await later.end("u1")) == ("succeeded", "")
            await later.until(lambda: not (folder / "data" / inbox.FOLDER / inbox.NEXT).exists())
        async with shop_with(folder) as last:
            assert await last.store.get(FACT) == b"", "and it is not told for ever"

    asyncio.run(play())


def test_what_runs_already_has_succeeded(folder: Path, slots: Slots) -> None:
    async def play() -> None:
        async with shop_with(folder, version="2.0.0") as shop:
            assert shown(await shop.give("update", args())) == ("succeeded", "")

    asyncio.run(play())


def test_the_engine_says_how_it_is(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            shop.engine.orders = shop.orders
            pulse = Pulse(shop.engine, clock=lambda: 7.5)
            await pulse.open(shop.store)
            await shop.line("line1")
            await pulse.look()
            said = msgspec.json.decode((folder / "pulse.json").read_bytes())
            assert {**said, "version": "", "pid": 0} == {
                "at": 7.5, "cloud": True, "lines": ["line1"], "pid": 0, "recording": True, "version": "",
            }  # fmt: skip
            await pulse.stop()
            assert not (folder / "pulse.json").exists()

    asyncio.run(play())
