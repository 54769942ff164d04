"""The process on real devices and sockets: codes reach the till, whatever dies, hangs or is unplugged."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.keymaps import TAB
from edgebox.scan.frames import Arm, Result
from hw_sim.evsim import Device, environment
from hw_sim.scanner import ALT, CTRL, HidPosScanner, KeyboardTill, SerialScanner, WedgeScanner
from tests.line.box import free_port
from tests.scan.box import Cable, Engine, Process, until

needs_compiler = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)
Plug = Callable[[str], Device]
EAN, PAYMENT, COUPON = b"6901234567892", b"134567890123456789", b"CPN:0042"


def test_without_an_engine_every_byte_goes_to_the_till_as_it_came() -> None:
    with Cable() as scanner, Cable() as till, Process(scanner.url, till.url) as process:
        process.wait_said("there")
        every = bytes(range(256)) + b"\r"
        SerialScanner(scanner.master).scan(every + EAN + b"\r" + COUPON)
        till.comes(every + EAN + b"\r" + COUPON + b"\r")


def test_what_the_till_says_to_its_scanner_arrives() -> None:
    with Cable() as scanner, Cable() as till, Process(scanner.url, till.url) as process:
        process.wait_said("there")
        SerialScanner(scanner.master).scan(EAN)
        till.comes(EAN + b"\r")
        os.write(till.master, b"\x16T\r")
        scanner.comes(b"\x16T\r")


def test_the_engine_gets_its_codes_and_the_till_all_others(tmp_path: Path) -> None:
    with (
        Engine(tmp_path / "e") as engine,
        Cable() as scanner,
        Cable() as till,
        Process(scanner.url, till.url, "--engine", str(engine.path)) as process,
    ):
        process.wait_said("there")
        until(lambda: engine.connected, "hello")
        source = SerialScanner(scanner.master)
        for code in (EAN, COUPON, PAYMENT, b"VIP:0815", EAN):
            source.scan(code)
        till.comes(b"".join(code + b"\r" for code in (EAN, PAYMENT, EAN)))
        until(lambda: engine.results == [Result.KEPT, Result.KEPT], "outcomes")
        assert [(scan.kind, scan.code) for scan in engine.scans] == [("coupon", COUPON), ("member", b"VIP:0815")]
        assert PAYMENT not in engine.raw
        assert EAN not in engine.raw


def test_a_dead_engine_costs_no_code_and_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "e"
    engine = Engine(path, wants=lambda scan: None)
    with Cable() as scanner, Cable() as till, Process(scanner.url, till.url, "--engine", str(path)) as process:
        process.wait_said("there")
        until(lambda: engine.connected, "hello")
        source = SerialScanner(scanner.master)
        source.scan(COUPON)
        until(lambda: len(engine.scans) == 1, "the scan")
        engine.die()
        till.comes(COUPON + b"\r")
        source.scan(COUPON)
        till.comes((COUPON + b"\r") * 2)
        with Engine(path) as again:
            until(lambda: again.connected, "hello")
            source.scan(COUPON)
            until(lambda: again.results == [Result.KEPT], "the outcome")
            assert till.listen() == (COUPON + b"\r") * 2


def test_the_page_arms_the_next_code(tmp_path: Path) -> None:
    with (
        Engine(tmp_path / "e") as engine,
        Cable() as scanner,
        Cable() as till,
        Process(scanner.url, till.url, "--engine", str(engine.path)) as process,
    ):
        process.wait_said("there")
        until(lambda: engine.connected, "hello")
        engine.send(Arm("coupon", 0))
        until(lambda: any(type(frame).__name__ == "Armed" for frame in engine.frames), "armed")
        source = SerialScanner(scanner.master)
        source.scan(EAN)
        source.scan(EAN)
        till.comes(EAN + b"\r")
        assert [(scan.kind, scan.armed) for scan in engine.scans] == [("coupon", True)]


def test_a_scanner_on_the_network_comes_and_goes_and_so_does_the_till() -> None:
    """tcp: at both ends, for trying things out."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as till:
        till.settimeout(8)
        with Process(f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{till.getsockname()[1]}") as process:
            first, _ = till.accept()
            for code in (EAN, PAYMENT):
                with connected(port) as scanner:
                    scanner.sendall(code + b"\r")
                    assert read_exactly(first, len(code) + 1) == code + b"\r"
            first.close()
            process.wait_said("it has hung up")
            second, _ = till.accept()
            with connected(port) as scanner, second:
                scanner.sendall(COUPON + b"\r")
                assert read_exactly(second, len(COUPON) + 1) == COUPON + b"\r"


def connected(port: int) -> socket.socket:
    """To the scanner's end, once it listens."""
    made: list[socket.socket] = []

    def tried() -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            made.append(socket.create_connection(("127.0.0.1", port), 8))
        return bool(made)

    until(tried, "the scanner's end listens")
    return made[0]


def read_exactly(link: socket.socket, size: int) -> bytes:
    link.settimeout(8)
    return link.recv(size, socket.MSG_WAITALL)


def test_codes_of_a_file_go_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "codes").write_bytes(EAN + b"\r" + PAYMENT)  # the last one without its suffix
    with Process(f"file:{tmp_path}/codes", f"file:{tmp_path}/till") as process:
        till = tmp_path / "till"
        until(lambda: till.exists() and till.read_bytes() == EAN + b"\r" + PAYMENT, "the codes")
        assert process.terminate() == 0


def test_sigterm_lets_the_code_under_way_out() -> None:
    with Cable() as scanner, Cable() as till, Process(scanner.url, till.url) as process:
        process.wait_said("there")
        SerialScanner(scanner.master, b"").scan(EAN)
        till.comes(EAN)
        os.kill(process.pid, signal.SIGTERM)
        assert process.terminate() == 0


def test_the_process_stays_small_and_sleeps_when_nothing_happens() -> None:
    with Cable() as scanner, Cable() as till, Process(scanner.url, till.url) as process:
        process.wait_said("there")
        SerialScanner(scanner.master).scan(EAN)
        till.comes(EAN + b"\r")
        spent = process.cpu_s
        time.sleep(0.5)
        assert process.cpu_s - spent <= 0.02
        assert process.rss_kib < 20_000


def test_a_wrong_setting_ends_the_process_with_its_words() -> None:
    with Cable() as scanner, Process(scanner.url, "none:", "--set", "coupons=1234") as process:
        until(lambda: bool(process.log), "words")
        assert "digits alone" in process.log[0]
        assert process.terminate() in (2, -signal.SIGTERM)


# -- a wedge, a keyboard gadget, HID POS: evsim


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[Callable[[str], Device]]:
    """Devices in `tmp_path`, unplugged at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(Device(tmp_path, name))


def typed(till: KeyboardTill, codes: int) -> str:
    """What the till has typed, once so many codes have ended."""

    def ended() -> bool:
        till.listen(0.01)
        return till.text.count("\r") >= codes

    until(ended, f"{codes} codes, after {till.text!r}")
    return till.text


@needs_compiler
def test_a_wedge_types_and_the_till_reads_it_in_its_own_layout(tmp_path: Path, plug: Plug) -> None:
    wedge, gadget = plug("event0"), plug("hidg0")
    scanner, till = WedgeScanner(wedge, "us"), KeyboardTill(gadget, "fr")
    ends = (f"evdev://{wedge.path}?layout=us", f"hidkbd://{gadget.path}?layout=fr")
    with Process(*ends, env=environment(tmp_path)) as process:
        process.wait_said("there")
        assert wedge.is_grabbed
        text = "".join(map(chr, range(32, 127)))
        scanner.scan(text)
        assert typed(till, 1) == text + "\r"
        assert till.chords == []
        assert process.rss_kib < 20_000


@needs_compiler
def test_no_barcode_types_a_chord_into_the_till(tmp_path: Path, plug: Plug) -> None:
    gadget = plug("hidg0")
    till = KeyboardTill(gadget)
    with (
        Cable() as cable,
        Process(cable.url, f"hidkbd://{gadget.path}?layout=us", env=environment(tmp_path)) as process,
    ):
        process.wait_said("there")
        codes = [b"A" + bytes((control,)) + b"B" for control in (*range(32), 127) if control != 13]
        for code in codes:
            SerialScanner(cable.master).scan(code)
        assert typed(till, len(codes)) == "AB\r" * len(codes)
        assert till.chords == []


@needs_compiler
def test_characters_without_a_key_are_left_out_with_a_word(tmp_path: Path, plug: Plug) -> None:
    gadget = plug("hidg0")
    till = KeyboardTill(gadget)
    with (
        Cable() as cable,
        Process(cable.url, f"hidkbd://{gadget.path}?layout=us", env=environment(tmp_path)) as process,
    ):
        process.wait_said("there")
        SerialScanner(cable.master).scan("A积B".encode())
        assert typed(till, 1) == "AB\r"
        process.wait_said("no key for")


@needs_compiler
def test_a_wedge_unplugged_inside_a_code_is_taken_again_and_the_code_given_up_aloud(tmp_path: Path, plug: Plug) -> None:
    wedge = plug("event0")
    scanner = WedgeScanner(wedge)
    with (
        Engine(tmp_path / "e") as engine,
        Cable() as till,
        Process(
            f"evdev://{wedge.path}", till.url, "--engine", str(engine.path), "--set", "silence_ms=2000",
            env=environment(tmp_path),
        ) as process,
    ):  # fmt: skip
        process.wait_said("there")
        until(lambda: engine.connected, "hello")
        scanner.scan("CPN:12", end=None)  # may be ours: kept back
        time.sleep(0.1)
        wedge.unplug()
        process.wait_said("1 code lost")
        process.wait_said("tried again")
        wedge.plug_in()
        until(lambda: sum("there" in line for line in process.log) == 2, "found again")
        scanner.scan(EAN.decode())
        till.comes(EAN + b"\r")
        assert sum("tried again" in line for line in process.log) == 1


@needs_compiler
def test_keys_that_the_kernel_lost_make_no_code(tmp_path: Path, plug: Plug) -> None:
    wedge = plug("event0")
    scanner = WedgeScanner(wedge)
    with (
        Engine(tmp_path / "e") as engine,
        Cable() as till,
        Process(
            f"evdev://{wedge.path}", till.url, "--engine", str(engine.path), "--set", "silence_ms=2000",
            env=environment(tmp_path),
        ) as process,
    ):  # fmt: skip
        process.wait_said("there")
        until(lambda: engine.connected, "hello")
        scanner.scan("CPN:1", end=None)
        scanner.lose_keys()
        process.wait_said("1 code lost")
        until(lambda: sum("there" in line for line in process.log) == 2, "opened again")
        scanner.scan("CPN:77")
        until(lambda: bool(engine.scans), "the next code")
        assert [scan.code for scan in engine.scans] == [b"CPN:77"]
        assert till.listen() == b""


@needs_compiler
def test_a_till_whose_link_is_down_gets_the_code_when_it_is_back_in_time(tmp_path: Path, plug: Plug) -> None:
    gadget = plug("hidg0")
    till = KeyboardTill(gadget)
    till.link(up=False)
    with (
        Cable() as cable,
        Process(cable.url, f"hidkbd://{gadget.path}?layout=us", env=environment(tmp_path)) as process,
    ):
        process.wait_said("transport endpoint shutdown")
        SerialScanner(cable.master).scan(EAN)
        time.sleep(0.1)
        till.link(up=True)
        assert typed(till, 1) == EAN.decode() + "\r"
        assert not process.said("lost")


@needs_compiler
def test_a_code_that_waits_too_long_for_the_till_is_given_up_aloud_and_never_typed(tmp_path: Path, plug: Plug) -> None:
    gadget = plug("hidg0")
    till = KeyboardTill(gadget)
    till.link(up=False)
    ends = f"hidkbd://{gadget.path}?layout=us"
    with Cable() as cable, Process(cable.url, ends, "--set", "till_ms=300", env=environment(tmp_path)) as process:
        process.wait_said("transport endpoint shutdown")
        SerialScanner(cable.master).scan(PAYMENT)
        process.wait_said("1 code lost")
        till.link(up=True)
        SerialScanner(cable.master).scan(EAN)
        assert typed(till, 1) == EAN.decode() + "\r"
        assert PAYMENT.decode() not in "".join(process.log)


@needs_compiler
def test_hid_pos_codes_come_whole_with_their_symbology(tmp_path: Path, plug: Plug) -> None:
    raw = plug("hidraw0")
    scanner = HidPosScanner(raw)
    long = b"CPN:" + bytes(range(256)) * 2
    with (
        Engine(tmp_path / "e") as engine,
        Cable() as till,
        Process(f"hidraw://{raw.path}", till.url, "--engine", str(engine.path), env=environment(tmp_path)) as process,
    ):
        process.wait_said("there")
        until(lambda: engine.connected, "hello")
        scanner.scan(EAN, b"]E0")
        scanner.scan(long, b"]Q1")
        scanner.scan(b"A\rB\x1dC", b"]C1")
        till.comes(EAN + b"\r" + b"A\rB\x1dC\r")
        until(lambda: bool(engine.scans), "the coupon")
        assert [(scan.symbology, scan.code) for scan in engine.scans] == [("]Q1", long)]


@needs_compiler
def test_a_wedges_control_characters_reach_a_serial_till(tmp_path: Path, plug: Plug) -> None:
    wedge = plug("event0")
    scanner = WedgeScanner(wedge)
    with (
        Cable() as till,
        Process(f"evdev://{wedge.path}", till.url, "--set", "suffix=tab", env=environment(tmp_path)) as process,
    ):
        process.wait_said("there")
        controls = "".join(map(chr, (*range(1, 9), *range(10, 27), 29)))
        scanner.scan("01" + controls, end=None)
        scanner.number("029")
        scanner.press(CTRL, ALT, 83)  # Ctrl+Alt+Del: nothing
        scanner.scan("x", end=TAB)
        till.comes(b"01" + controls.encode() + b"\x1d" + b"." + b"x\t")
