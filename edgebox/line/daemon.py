"""`edgebox-line`: one till, one printer, one process.

Owns: the command line, the profile's file, signals, and the process itself (memory, priority). Never: the wire
(relay.py) or its decisions (core.py). Standard library only; a driver is loaded when its URL names it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebox.dataplane import become_urgent as become_urgent  # the engine takes it from here
from edgebox.dataplane import handed_down, options_of, say, told_by_child, wait_to_be_begun_again
from edgebox.errors import ConfigError, EdgeboxError
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.bridge import STARTS_MAX, STARTS_S, Bridge, Place
from edgebox.line.guard import GuardedCore
from edgebox.line.relay import Bypassed, Relay
from edgebox.line.settings import LineSettings, data_folder, from_toml, laid_over, with_receipts

if TYPE_CHECKING:
    from drivers.base import TillEnd

USAGE = """usage: edgebox-line --till URL --printer URL [--engine SOCKET] [--name N] [--config F] [--profile P]
                    [--set KEY=VALUE]

One line: bytes from the till's end to the printer's end and back, with a slip before the cut when the engine says so.

  --till URL        where the till plugs in: tcp://0.0.0.0:9100, serial:///dev/ttyUSB0?baud=38400&flow=dsrdtr, pty:
  --printer URL     where the printer is: tcp://192.168.1.50:9100, serial:///dev/ttyS0?baud=38400&flow=rtscts
  --engine SOCKET   the engine's Unix socket; without it the line is a plain wire
  --name N          which [[line]] of the configuration, and the name in messages
  --config F        edgebox.toml; flags come before it
  --profile P       the printer's profile (a file name in config/printers without .toml)
  --set KEY=VALUE   any other key of [[line]], e.g. --set answer_ms=100
"""
OVERLAY_BYTES = 1 << 20  # as edgebox/overlay.py
STOP_WITHIN_S = 3.0  # systemd waits 90; a document takes about one
PRIORITY = -10  # the wire before anything else on the box
SHIPPED = Path(__file__).parents[2] / "config"
OWN = Path("/etc/edgebox")
FLAGS = ("till", "printer", "engine", "name", "config", "profile", "set")


def _settings(argv: list[str]) -> tuple[LineSettings, LineSettings, str]:
    """As file and flags say; the same with the overlay between the two; and why there is none of it, if so."""
    found, sets = options_of(argv, FLAGS, "edgebox-line")
    filed, data = LineSettings(), ""
    if "config" in found:
        path = Path(found.pop("config"))
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as fault:
            raise ConfigError(f"{path}: {fault.strerror}", reason="unreadable") from fault
        filed, data = from_toml(text, found.get("name", ""), str(path)), data_folder(text)
    laid, warning = _overlaid(filed, Path(data) / "overlay.json") if data else (filed, "")
    return _flagged(filed, found, sets), _flagged(laid, found, sets), warning


def _overlaid(settings: LineSettings, path: Path) -> tuple[LineSettings, str]:
    """With what the page or the fleet has changed; whatever is wrong with that, the shop prints as the file says."""
    try:
        with path.open("rb") as file:
            raw = file.read(OVERLAY_BYTES + 1)
        return laid_over(settings, raw, str(path)), ""
    except FileNotFoundError:
        return settings, ""
    except OSError as fault:
        return settings, f"goes on without {path}: {fault.strerror}"
    except ConfigError as fault:
        return settings, f"goes on without its overlay: {fault}"


def _flagged(settings: LineSettings, found: dict[str, str], sets: list[str]) -> LineSettings:
    merged = settings._replace(**found)  # type: ignore[arg-type]
    for pair in sets:
        key, _, value = pair.partition("=")
        merged = merged.with_value(key, value)
    for key, value in (("till", merged.till), ("printer", merged.printer)):
        if not value:
            raise ConfigError(f"--{key} is missing", reason="missing", hint="edgebox-line --help shows an example")
    return merged


def _told_by_receipts(settings: LineSettings) -> tuple[LineSettings, str]:
    """With what the till's receipt profile says, or as they are and why: for want of it the shop still prints."""
    if not settings.receipts:
        return settings, ""
    file = Path("receipts", f"{settings.receipts}.toml")
    path = OWN / file if (OWN / file).is_file() else SHIPPED / file
    try:
        return with_receipts(settings, path.read_text(encoding="utf-8"), str(path)), ""
    except (OSError, ValueError) as fault:
        return settings, f"goes on without its receipt profile: {path}: {getattr(fault, 'strerror', None) or fault}"
    except ConfigError as fault:
        return settings, f"goes on without its receipt profile: {fault}"


def _configured(argv: list[str]) -> tuple[LineSettings, PrinterProfile, str]:
    """Settings, profile and a warning, read in a child: tomllib and the capability data would stay in our memory."""
    settings, profile, warning = told_by_child(lambda: _told(argv))
    return LineSettings(*settings), PrinterProfile(*profile), warning


def _told(argv: list[str]) -> tuple[tuple[Any, ...], tuple[Any, ...], str]:
    """The child's side: both as plain tuples. A profile that somebody chose and that isn't there costs no paper."""
    filed, settings, warning = _settings(argv)
    try:
        profile = _profile(settings.profile)
    except ConfigError as fault:
        if settings.profile == filed.profile:
            raise
        settings, profile, warning = filed, _profile(filed.profile), f"goes on with the file's profile: {fault}"
    settings, more = _told_by_receipts(settings)
    return tuple(settings), tuple(profile), "; ".join(filter(None, (warning, more)))


def _profile(name: str) -> PrinterProfile:
    if name == PrinterProfile().name:
        return PrinterProfile()
    from edgebox.printers import find_printer

    folder = OWN if (OWN / "printers" / f"{name}.toml").is_file() else SHIPPED
    return find_printer(name, folder / "printers")


def _first_document() -> int:
    """Numbers that are not used again after a restart, even with a clock that starts in 1970 each time."""
    return int(time.time()) << 20


def _stop_on_signals(relay: Relay) -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)

    def woken(events: int) -> None:
        if set(os.read(reader, 64)) == {signal.SIGHUP}:
            relay.begins_anew = True  # between two documents, however long that takes (`systemctl reload`)
        else:
            relay.begins_anew = False  # who is told to end ends, and leaves the wire to its bypass relay
            relay.stop(STOP_WITHIN_S)

    relay.wake_on(reader, woken)


def _relay(settings: LineSettings, profile: PrinterProfile) -> Relay:
    from drivers.registry import printer_end, till_end

    core = GuardedCore(profile, settings, os.urandom(8), _first_document())
    core.on_fault = say
    till, printer = till_end(handed_down(settings.till), settings.allow), printer_end(settings.printer)
    bypassed = _bypassed(settings, till) if settings.relay else None
    end = till if bypassed is None else bypassed.till
    return Relay(core, end, printer, settings.engine, say, bypassed)


def _bypassed(settings: LineSettings, till: TillEnd) -> Bypassed:
    """The relay beside this line; what it did before this process is in systemd's folder for us."""
    from drivers.bridged import BridgedTill
    from drivers.bypass_relay import BypassRelay
    from drivers.gpio import Pin

    folder = os.environ.get("RUNTIME_DIRECTORY", "")
    contact = BypassRelay(Pin(settings.relay), Path(folder) if folder else None, settings.name, say)
    now = time.monotonic()
    bridge = Bridge(now, *contact.started(now))
    if bridge.is_ill:
        say(f"edgebox-line: began anew {STARTS_MAX} times in {STARTS_S:.0f} s: out of the wire for as long")
    return Bypassed(bridge, contact, BridgedTill(till, lambda: bridge.place is Place.IN))


def main(argv: list[str] | None = None) -> int:
    """Runs the line; 0 after a clean stop, 2 when it can't start."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or "--help" in arguments or "-h" in arguments:
        print(USAGE)
        return 0
    try:
        settings, profile, warning = _configured(arguments)
        if warning:
            say(f"edgebox-line: {warning}")
        relay = _relay(settings, profile)
        _stop_on_signals(relay)
        become_urgent(PRIORITY)
        gc.collect()
        gc.freeze()
        gc.disable()  # the loop makes no cycles; a collection in the middle of a receipt would cost milliseconds
        relay.run()
        if relay.begins_anew and not os.environ.get("NOTIFY_SOCKET"):
            # Under systemd the unit does it (Restart=always): it has been told that we stop, and holds the till's port.
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    except EdgeboxError as fault:
        say(f"edgebox-line: {fault}")
        wait_to_be_begun_again()
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
