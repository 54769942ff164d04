"""The engine's end of a scanner's socket: the desk acts on codes that are its own for certain, and on no others."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edgebox.scan.frames import (
    Armed,
    Decoder,
    Ends,
    Frame,
    Hello,
    Lost,
    Outcome,
    Passed,
    Ping,
    Pong,
    Result,
    Scan,
    Verdict,
    encode,
)
from edgebox.scanners import PENDING_MAX, ScannerSession
from tests.scan.box import Cable, Process

HELLO = Hello(b"session1", "till 1")


class Desk:
    """Writes down what it hears."""

    def __init__(self, wants: Callable[[Scan], bool] = lambda scan: True) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.faults: list[str] = []
        self.session: ScannerSession | None = None
        self._wants = wants

    def wants(self, scanner: ScannerSession, scan: Scan) -> bool:
        return self._wants(scan)

    def scanned(self, scanner: ScannerSession, scan: Scan) -> None:
        self.heard.append(("scanned", scan.code))

    def missed(self, scanner: ScannerSession, scan: Scan, result: Result) -> None:
        self.heard.append(("missed", scan.code, result))

    def passed(self, scanner: ScannerSession, passed: Passed) -> None:
        self.heard.append(passed)

    def armed(self, scanner: ScannerSession, armed: Armed) -> None:
        self.heard.append(armed)

    def ends(self, scanner: ScannerSession, ends: Ends) -> None:
        self.heard.append(ends)

    def lost(self, scanner: ScannerSession, lost: Lost) -> None:
        self.heard.append(lost)

    def fault(self, scanner: str, what: str, error: BaseException | None = None) -> None:
        self.faults.append(f"{scanner}: {what}" + (f" ({type(error).__name__})" if error else ""))

    def joined(self, scanner: ScannerSession) -> None:
        self.session = scanner
        self.heard.append(("joined", scanner.name, scanner.session))

    def left(self, scanner: ScannerSession) -> None:
        self.heard.append(("left",))


class Peer:
    """The scanner's side of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._reader = reader
        self._decoder = Decoder()
        self._frames: list[Frame] = []

    def say(self, *frames: Frame) -> None:
        self.writer.write(b"".join(map(encode, frames)))

    async def hears(self) -> Frame:
        while not self._frames:
            self._frames += self._decoder.feed(await asyncio.wait_for(self._reader.read(4096), 5))
        return self._frames.pop(0)


async def comes(wanted: Callable[[], bool]) -> None:
    """Another process does it, or another task."""
    async with asyncio.timeout(8):
        while not wanted():  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0.002)


def play(desk: Desk, path: Path, story: Callable[[Peer], Awaitable[None]]) -> list[tuple[object, ...]]:
    """The story over a real socket; what the desk heard."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_unix_server(lambda: ScannerSession(desk), str(path))
        async with server:
            peer = Peer(*await asyncio.open_unix_connection(str(path)))
            await story(peer)
            peer.writer.close()
            await peer.writer.wait_closed()
            await comes(lambda: desk.heard[-1:] == [("left",)])

    asyncio.run(run())
    return desk.heard


def scan(number: int, code: bytes = b"CPN:1") -> Scan:
    return Scan(number, "coupon", "]Q1", code, False, 150)


def test_a_code_is_acted_on_when_the_scanner_has_kept_it_and_not_before(tmp_path: Path) -> None:
    desk = Desk()

    async def story(peer: Peer) -> None:
        peer.say(HELLO, scan(1))
        assert await peer.hears() == Verdict(1, True)
        assert desk.heard == [("joined", "till 1", b"session1".hex())]
        peer.say(Outcome(1, Result.KEPT), Ping(1))
        await peer.hears()

    assert play(desk, tmp_path / "s", story)[1:] == [("scanned", b"CPN:1"), ("left",)]


def test_a_code_whose_verdict_came_too_late_is_only_told_as_missed(tmp_path: Path) -> None:
    async def story(peer: Peer) -> None:
        peer.say(HELLO, scan(1), Outcome(1, Result.LATE), scan(2, b"CPN:2"), Ping(1))
        for _ in range(3):
            await peer.hears()

    heard = play(Desk(), tmp_path / "s", story)[1:]
    assert heard == [("missed", b"CPN:1", Result.LATE), ("missed", b"CPN:2", Result.LATE), ("left",)]


def test_a_code_that_the_desk_does_not_want_goes_on_and_is_forgotten(tmp_path: Path) -> None:
    async def story(peer: Peer) -> None:
        peer.say(HELLO, scan(1))
        assert await peer.hears() == Verdict(1, False)
        peer.say(Outcome(1, Result.FORWARDED), Ping(1))
        await peer.hears()

    assert play(Desk(lambda scan: False), tmp_path / "s", story)[1:] == [("left",)]


def test_a_desk_that_stumbles_lets_the_code_go_to_the_till(tmp_path: Path) -> None:
    def stumbles(scan: Scan) -> bool:
        raise KeyError(scan.code)

    desk = Desk(stumbles)

    async def story(peer: Peer) -> None:
        peer.say(HELLO, scan(1))
        assert await peer.hears() == Verdict(1, False)

    play(desk, tmp_path / "s", story)
    assert desk.faults == ["till 1: fault at Scan (KeyError)"]


def test_everything_else_is_told_to_the_desk(tmp_path: Path) -> None:
    said = [Passed("payment", "", 2), Armed("coupon", 15000), Ends(True, False, "unplugged"), Lost(1, "why")]

    async def story(peer: Peer) -> None:
        peer.say(HELLO, *said, Ping(7))
        assert await peer.hears() == Pong(7, "")

    assert play(Desk(), tmp_path / "s", story)[1:-1] == said


def test_the_engine_arms_and_asks(tmp_path: Path) -> None:
    desk = Desk()

    async def story(peer: Peer) -> None:
        peer.say(HELLO, Ping(0))
        await peer.hears()
        assert desk.session is not None
        desk.session.arm("member")
        arm = await peer.hears()
        assert arm[:2] == ("member", 0)
        asked = asyncio.get_running_loop().create_task(desk.session.ping(9))
        assert await peer.hears() == Ping(9)
        peer.say(Pong(9, "asked 1\n"))
        assert (await asked).text == "asked 1\n"
        lonely = asyncio.get_running_loop().create_task(desk.session.ping(10))
        await peer.hears()
        peer.writer.close()
        with pytest.raises(asyncio.CancelledError):
            await lonely

    play(desk, tmp_path / "s", story)


def test_a_peer_that_talks_nonsense_is_let_go(tmp_path: Path) -> None:
    desk = Desk()

    async def story(peer: Peer) -> None:
        peer.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await peer._reader.read() == b""

    play(desk, tmp_path / "s", story)
    assert "talks nonsense" in desk.faults[0]
    assert "GET" not in desk.faults[0]


def test_scans_that_never_settle_fill_no_memory(tmp_path: Path) -> None:
    async def story(peer: Peer) -> None:
        peer.say(HELLO, *map(scan, range(1, PENDING_MAX + 2)))
        verdicts = [await peer.hears() for _ in range(PENDING_MAX + 1)]
        assert verdicts[-2:] == [Verdict(PENDING_MAX, True), Verdict(PENDING_MAX + 1, False)]

    play(Desk(), tmp_path / "s", story)


def test_with_the_real_process_on_a_cable(tmp_path: Path) -> None:
    desk = Desk(lambda scan: scan.kind == "coupon")

    async def run() -> None:
        path = str(tmp_path / "s")
        server = await asyncio.get_running_loop().create_unix_server(lambda: ScannerSession(desk), path)
        async with server:
            with Cable() as scanner, Cable() as till, Process(scanner.url, till.url, "--engine", path) as process:
                await comes(lambda: desk.session is not None and process.said("there"))
                assert desk.session is not None
                os.write(scanner.master, b"CPN:1\rVIP:2\r690\r")
                await comes(lambda: till.listen() == b"VIP:2\r690\r" and ("scanned", b"CPN:1") in desk.heard)
                assert "kept 1\nnot_wanted 1\n" in (await desk.session.ping(1)).text

    asyncio.run(run())
    assert desk.faults == []
