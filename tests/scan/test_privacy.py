"""A payment code is money for a minute: it is in no log, no frame and no file, whatever goes wrong around it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from edgebox.scan.frames import Arm
from hw_sim.evsim import Device, environment
from hw_sim.scanner import KeyboardTill, SerialScanner
from tests.scan.box import Cable, Engine, Process, until
from tests.scan.shop import Shop

SECRET_CHARS = 8  # no piece of a code so long may be found


def payment_codes(count: int) -> list[bytes]:
    dice = random.Random(7)
    heads = [(b"13", 16), (b"10", 16), (b"28", 14), (b"30", 22), (b"62", 17)]
    codes = []
    for number in range(count):
        head, size = heads[number % len(heads)]
        codes.append(head + bytes(dice.choice(b"0123456789") for _ in range(size)))
    return codes


def pieces(codes: list[bytes]) -> set[bytes]:
    return {code[at : at + SECRET_CHARS] for code in codes for at in range(len(code) - SECRET_CHARS + 1)}


def found_in(raw: bytes, secrets: set[bytes]) -> list[bytes]:
    return [secret for secret in secrets if secret in raw]


RESIDENT = b"11010519491231002X"


@pytest.mark.skipif(not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc")
def test_payment_codes_leave_no_trace(tmp_path: Path) -> None:
    codes = payment_codes(40)
    secrets = pieces([*codes, RESIDENT])
    folder = tmp_path / "dev"
    folder.mkdir()
    path = tmp_path / "e"
    with Device(folder, "hidg0") as gadget, Cable() as scanner:
        till = KeyboardTill(gadget)
        ends = (scanner.url, f"hidkbd://{gadget.path}?layout=us")
        settings = ("--engine", str(path), "--set", "till_ms=200", "--set", "silence_ms=30")
        with Process(*ends, *settings, env=environment(folder)) as process:
            process.wait_said("there")
            raw = _with_an_engine_that_dies(path, scanner, till, codes[:7])
            _with_a_till_that_goes(process, scanner, till, codes[7:20])
            raw += _with_an_engine_that_hangs(path, scanner, till, codes[20:])
            assert not _writable_files(process.pid)
        log = "".join(process.log).encode()
    typed = till.text.encode()
    assert codes[0] in typed
    assert codes[-1] in typed
    assert found_in(typed, secrets)  # the search finds what is there
    assert found_in(log, secrets) == []
    assert found_in(raw, secrets) == []
    for file in (file for file in tmp_path.rglob("*") if file.is_file()):
        assert found_in(file.read_bytes(), secrets) == []


def test_payment_codes_are_in_no_file_and_no_log_of_a_whole_shop(tmp_path: Path) -> None:
    """The whole data folder and what all processes say: database, journal, its log, and all that was set aside.

    Between coupons and mode keys, with the engine killed, hung and there.
    """
    codes = [*payment_codes(30), RESIDENT]
    with Cable() as scanner, Cable() as till, Shop(tmp_path, scanner.url, till.url) as shop:
        source = SerialScanner(scanner.master)
        coupon = shop.coupon()
        heard = b""

        def pay(code: bytes) -> None:
            nonlocal heard
            source.scan(code)
            heard += code + b"\r"
            until(lambda: till.listen() == heard, "the code at the till")

        for code in codes[:5]:
            pay(code)
        for mode in (b"COUPON", b"MEMBER", b"PICKUP"):
            for code in (codes[5], b"]C1" + codes[6], RESIDENT):
                source.scan(b"EDGEBOX+" + mode)
                pay(code)
        source.scan(coupon.encode())
        shop.printed("Redeemed 1")
        shop.freeze()
        for code in codes[7:15]:
            pay(code)
        shop.freeze(thaw=True)
        pay(codes[15])
        shop.stop("engine")
        for code in codes[16:24]:
            pay(code)
        shop.start_engine()
        shop.found_again()
        for code in codes[24:]:
            pay(code)
        shop.stop("scan", signal.SIGTERM)
        shop.stop("engine", signal.SIGTERM)
        everywhere = shop.everywhere
        assert found_in(heard, pieces(codes)), "the search finds what is there"
    assert len(everywhere) > 100_000
    assert b"scanner1" in everywhere
    assert found_in(everywhere, pieces(codes)) == []
    rest = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found_in(b"".join(path.read_bytes() for path in rest), pieces(codes)) == []


def _with_an_engine_that_dies(path: Path, scanner: Cable, till: KeyboardTill, codes: list[bytes]) -> bytes:
    """Plainly, behind a question, armed, without a suffix, in pieces; all that the engine ever heard."""
    engine = Engine(path, wants=lambda scan: None)
    until(lambda: engine.connected, "hello")
    source = SerialScanner(scanner.master)
    for code in (codes[0], b"CPN:1", codes[1]):
        source.scan(code)
    engine.send(Arm("coupon", 0))
    until(lambda: any(type(frame).__name__ == "Armed" for frame in engine.frames), "armed")
    for code in (codes[2], RESIDENT, b"]Q1" + codes[3]):
        source.scan(code)
    SerialScanner(scanner.master, b"").scan(codes[4])
    time.sleep(0.05)  # longer than the silence
    source.scan(codes[5][:9])
    engine.die()
    source.scan(codes[6])
    _drained(till)
    return bytes(engine.raw)


def _with_a_till_that_goes(process: Process, scanner: Cable, till: KeyboardTill, codes: list[bytes]) -> None:
    till.link(up=False)
    for code in codes:
        SerialScanner(scanner.master).scan(code)
    process.wait_said("lost")
    till.link(up=True)


def _with_an_engine_that_hangs(path: Path, scanner: Cable, till: KeyboardTill, codes: list[bytes]) -> bytes:
    with Engine(path) as engine:
        until(lambda: engine.connected, "hello")
        engine.hang()
        for code in codes:
            SerialScanner(scanner.master).scan(code)
        engine.reads = True
        _drained(till)
        return bytes(engine.raw)


def _drained(till: KeyboardTill) -> None:
    """Until the till has been quiet for a moment."""
    while till.listen(0.2):
        pass


def _writable_files(pid: int) -> list[str]:
    """Regular files that the process could write to."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            info = Path(f"/proc/{pid}/fdinfo/{name}").read_text("ascii")
        except FileNotFoundError:  # closed while we looked
            continue
        flags = int(info.split("flags:")[1].split()[0], 8)
        if os.path.isfile(target) and flags & os.O_ACCMODE != os.O_RDONLY:
            found.append(target)
    return found
