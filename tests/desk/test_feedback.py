"""An answer is heard from the printer and seen on the box; what is not there costs nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.base import parse_url
from drivers.led import Lamp
from edgebox import feedback as module
from edgebox.desk.answers import Beep
from edgebox.engine import Engine
from edgebox.errors import DriverError
from edgebox.escpos import buzzer
from edgebox.escpos.documents import DocumentScanner
from edgebox.escpos.profile import PrinterProfile
from edgebox.feedback import Feedback, Pattern
from edgebox.line.frames import JobPhase, JobState
from edgebox.line.insertion import check, insert
from edgebox.scan.codes import Kind
from tests.desk.fake_scanner import FakeScanner, scan_desk
from tests.desk.shop import FakeLine, next_job, shop, until

ESC_B, ESC_PAREN_A, BEL = b"\x1bB\x02\x02", b"\x1b(A\x05\x00\x61\x64\x01\x01\x01", b"\x07"


def bulb(folder: Path, name: str, most: str = "255") -> Path:
    lamp = folder / name
    lamp.mkdir()
    (lamp / "max_brightness").write_text(f"{most}\n", "ascii")
    (lamp / "brightness").write_text("1\n", "ascii")
    return lamp


def lit(lamp: Path) -> bool:
    return (lamp / "brightness").read_text("ascii").strip()[:1] != "0"


@pytest.mark.parametrize(
    ("command", "good", "bad", "again"),
    [
        (ESC_B, b"\x1bB\x01\x02", b"\x1bB\x02\x09", b"\x1bB\x03\x02"),
        (
            ESC_PAREN_A,
            b"\x1b(A\x05\x00\x61\x64\x01\x01\x01",
            b"\x1b(A\x05\x00\x61\x64\x02\x05\x01",
            b"\x1b(A\x05\x00\x61\x64\x03\x01\x01",
        ),
        (BEL, BEL, BEL * 2, BEL * 3),
        (b"", b"", b"", b""),
    ],
)
def test_each_answer_sounds_in_the_printers_own_command(command: bytes, good: bytes, bad: bytes, again: bytes) -> None:
    sounds = {
        beep: buzzer.sound(command, pattern.beeps, is_long=pattern.is_long) for beep, pattern in module.PATTERNS.items()
    }
    assert sounds == {Beep.GOOD: good, Beep.BAD: bad, Beep.AGAIN: again}


@pytest.mark.parametrize("command", [ESC_B, ESC_PAREN_A, BEL])
def test_a_line_takes_a_sound_of_its_printers_own_and_no_other(command: bytes) -> None:
    own = PrinterProfile(buzzer=command.hex())
    assert check(command * 3, own).is_sound
    for body, profile in (
        (command, PrinterProfile()),
        (command + b"x\n", own),
        (b"x\n" + command, own),
        (command + b"\x1bp\x00\x19\x19", own),
        (command + b"\x1b", own),
    ):
        found = check(body, profile)
        assert found.reason
        assert not found.is_sound


def test_a_sound_is_no_slip() -> None:
    profile = PrinterProfile(buzzer=BEL.hex())
    placed = insert(BEL, DocumentScanner(profile).ending(), b"", profile, b"")
    assert (placed.before, placed.behind, placed.fault) == (b"", b"", "body has nothing to print")


def test_the_printer_beeps_and_the_lamps_show_what_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATTERNS", {beep: Pattern(1, False, (0.03,)) for beep in Beep})
    green, red = bulb(tmp_path, "green"), bulb(tmp_path, "red", "1")
    leds = f'desk.leds=["led://{green}?for=good", "led://{red}?for=bad,again"]'

    async def story(engine: Engine) -> None:
        async with scan_desk(engine) as desk:
            assert engine.store is not None
            feedback = Feedback(engine)
            engine.parts.append(feedback)
            desk.on_said = feedback.said
            await feedback.open(engine.store)
            assert not lit(green), "whatever the last run left on"
            line = await FakeLine.connect(engine, profile="xprinter-xp-80")
            await until(lambda: bool(engine.lines))
            scanner = await FakeScanner.connect(engine)
            assert await scanner.scan("CB:NONE", Kind.COMEBACK)
            await until(lambda: lit(red))
            assert not lit(green)
            jobs = [await next_job(line), await next_job(line)]
            (sound,) = [job for job in jobs if job.body.startswith(b"\x1bB")]
            assert (sound.cut, sound.expires_ms) == (False, module.BUZZ_MS)
            await until(lambda: not lit(red))
            feedback.said(Beep.GOOD, "")
            await until(lambda: lit(green))
            feedback.said(Beep.AGAIN, "")
            await until(lambda: lit(red) and not lit(green))
            await feedback.stop()
            assert not lit(red)
            await scanner.leave()

    async def play() -> None:
        async with shop(tmp_path, leds) as engine:
            await story(engine)

    asyncio.run(play())


def test_a_line_that_hangs_is_not_buried_in_sounds(tmp_path: Path) -> None:
    """It takes its jobs some time, or never: a scanner that reads all day must not fill the memory with beeps."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine, profile="xprinter-xp-80")
            await until(lambda: bool(engine.lines))
            feedback = Feedback(engine)
            for _ in range(100):
                feedback.said(Beep.GOOD, "line1")
            assert feedback.unheard == 100 - module.SOUNDS_MAX
            jobs = [await next_job(line) for _ in range(module.SOUNDS_MAX)]
            line.send(*[JobState(job.job, JobPhase.QUEUED, "") for job in jobs])
            heard = engine.lines["line1"]._jobs
            await until(lambda: all(not states.empty() for states in heard.values()))
            feedback.said(Beep.GOOD, "line1")
            assert (await next_job(line)).body
            assert feedback.unheard == 100 - module.SOUNDS_MAX

    asyncio.run(play())


def test_a_lamp_that_is_not_there_is_said_once_and_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        async with shop(tmp_path, f'desk.leds=["led://{tmp_path}/none?for=good"]', "desk.buzzer=false") as engine:
            assert engine.store is not None
            feedback = Feedback(engine)
            await feedback.open(engine.store)
            feedback.said(Beep.GOOD, "")
            feedback.said(Beep.GOOD, "no-such-line")
            await feedback.stop()

    asyncio.run(play())
    assert caplog.text.count("none") == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("url", ["led://host/x", "led:///", "led:///x?for=joy", "led:///x?when=good", "tcp://x:1"])
def test_a_lamp_that_can_be_none_is_named(url: str) -> None:
    with pytest.raises(DriverError):
        Lamp(parse_url(url))


def test_a_lamp_for_everything_needs_no_for(tmp_path: Path) -> None:
    assert Lamp(parse_url(f"led://{tmp_path}")).purposes == ("good", "bad", "again")
