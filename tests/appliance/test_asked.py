"""The doctor asks a printer who it is: through engine and line, or by a port of its own."""

import asyncio
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from edgebox.appliance.asked import told_by_line, told_by_printer, words_of
from edgebox.line.frames import Pong, WhoIs
from hw_sim.usb_bus import UsbBus, UsbPrinter
from tests.line_of_engine import FakeLine, running

SAID = "maker EPSON\nmodel TM-T88V\nprinter_xoffs 0\n"


async def answers(line: FakeLine) -> None:
    """The line, when it is asked."""
    asked = await line.next()
    assert isinstance(asked, WhoIs)
    line.send(Pong(asked.nonce, SAID))


def test_the_line_asks_for_whoever_asks_the_engine() -> None:
    async def play(folder: Path) -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine, "till-1")
            path = Path(engine.config.engine.socket)
            asking = asyncio.to_thread(told_by_line, path, "till-1")
            told, _ = await asyncio.gather(asking, answers(line))
            assert told == {"maker": "EPSON", "model": "TM-T88V", "printer_xoffs": "0"}
            assert await asyncio.to_thread(told_by_line, path, "till-9") is None, "there is no such line"
            assert sorted(engine.lines) == ["till-1"], "and the one who asked was taken for none"
            assert not engine.counters["faults"]

    with tempfile.TemporaryDirectory(prefix="eb") as folder:
        asyncio.run(play(Path(folder)))


def test_a_line_that_goes_while_it_is_asked_is_none() -> None:
    async def play(folder: Path) -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine, "till-1")

            async def goes() -> None:
                await line.next()
                line.close()

            path = Path(engine.config.engine.socket)
            told, _ = await asyncio.gather(asyncio.to_thread(told_by_line, path, "till-1"), goes())
            assert told is None

    with tempfile.TemporaryDirectory(prefix="eb") as folder:
        asyncio.run(play(Path(folder)))


@pytest.mark.parametrize("talk", [b"", b"HTTP/1.1 400 Bad Request\r\n"])
def test_a_socket_of_something_else_is_no_engine(talk: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="eb") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "engine.sock"
        assert told_by_line(path, "till-1") is None, "nobody is there"
        listener.bind(str(path))
        listener.listen()

        def speak() -> None:
            link, _ = listener.accept()
            with link:
                link.sendall(talk)

        speaker = threading.Thread(target=speak)
        speaker.start()
        assert told_by_line(path, "till-1", 2.0) is None
        speaker.join()


def test_a_printer_that_nobody_has_is_asked_itself() -> None:
    printer = UsbPrinter()
    printer.answer = lambda data: b"\x12\x5fEPSON\x00\x5fTM-T88V\x00" if b"\x1dI\x43" in data else b""
    with UsbBus(printer):
        assert told_by_printer("usb://04b8:0202") == {"maker": "EPSON", "model": "TM-T88V"}
    with UsbBus(UsbPrinter()):
        assert told_by_printer("usb://04b8:0202") == {"asked": "silent"}
    with UsbBus():
        assert told_by_printer("usb://04b8:0202") is None
    assert told_by_printer("nonsense") is None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert told_by_printer(f"tcp://127.0.0.1:{port}") is None, "nobody listens"


def test_words_without_a_value_are_none() -> None:
    assert words_of("a 1\nb\nc \nd two words\n\n") == {"a": "1", "d": "two words"}
