"""`edgebox-line`: one till, one printer, one process.

Owns: the command line, the profile's file, signals, and the process itself (memory, priority). Never: the wire
(relay.py) or its decisions (core.py). Standard library only; a driver is loaded when its URL names it.
"""

from __future__ import annotations

import gc
import marshal
import os
import select
import signal
import sys
import time
from pathlib import Path

from edgebox.errors import ConfigError, EdgeboxError
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.guard import GuardedCore
from edgebox.line.relay import Relay
from edgebox.line.settings import LineSettings, from_toml, with_receipts

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
STOP_WITHIN_S = 3.0  # systemd waits 90; a document takes about one
PRIORITY = -10  # the wire before anything else on the box
SHIPPED = Path(__file__).parents[2] / "config"
OWN = Path("/etc/edgebox")
FLAGS = ("till", "printer", "engine", "name", "config", "profile", "set")


def _arguments(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    """`--key value` and `--key=value`; `--set` may come again. argparse would cost 1 MB of the line's memory."""
    found: dict[str, str] = {}
    sets: list[str] = []
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        key, equals, value = word.partition("=")
        key = key.removeprefix("--")
        if not word.startswith("--") or key not in FLAGS:
            raise ConfigError(f"{word!r} is not an option", reason="bad_option", hint="edgebox-line --help lists them")
        if not equals:
            if not queue:
                raise ConfigError(f"--{key} needs a value", reason="bad_option")
            value = queue.pop(0)
        if key == "set":
            sets.append(value)
        else:
            found[key] = value
    return found, sets


def _settings(argv: list[str]) -> LineSettings:
    found, sets = _arguments(argv)
    merged = LineSettings()
    if "config" in found:
        path = Path(found.pop("config"))
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as fault:
            raise ConfigError(f"{path}: {fault.strerror}", reason="unreadable") from fault
        merged = from_toml(text, found.get("name", ""), str(path))
    merged = merged._replace(**found)  # type: ignore[arg-type]
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
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.write(writer, _told(argv))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:
        raise ConfigError("the configuration could not be read: its reader was killed", reason="config")
    kind, *fields = marshal.loads(told)
    if kind == "fault":
        raise ConfigError(fields[0], reason="config")
    return LineSettings(*fields[0]), PrinterProfile(*fields[1]), fields[2]


def _told(argv: list[str]) -> bytes:
    """The child's side: both as plain tuples, or the fault in words."""
    try:
        settings, warning = _told_by_receipts(_settings(argv))
        return marshal.dumps(("ok", tuple(settings), tuple(_profile(settings.profile)), warning))
    except EdgeboxError as fault:
        return marshal.dumps(("fault", str(fault)))
    except Exception as fault:  # whatever it is, it must be said by the parent: the child has no exit code of its own
        return marshal.dumps(("fault", f"{type(fault).__name__}: {fault}"))


def _profile(name: str) -> PrinterProfile:
    if name == PrinterProfile().name:
        return PrinterProfile()
    from edgebox.printers import find_printer

    folder = OWN if (OWN / "printers" / f"{name}.toml").is_file() else SHIPPED
    return find_printer(name, folder / "printers")


def _log(text: str) -> None:
    """One line for a person, if stderr takes it at once: a log that hangs or has gone must not stop the wire."""
    ready = select.poll()
    ready.register(sys.stderr.fileno(), select.POLLOUT)
    try:
        if ready.poll(0):
            os.write(sys.stderr.fileno(), text.encode("utf-8", "replace")[: select.PIPE_BUF - 1] + b"\n")
    except OSError:
        return  # nobody is there to hear that nobody is there


def become_urgent(priority: int) -> None:
    """Runs this process before ordinary ones; without permission it runs as it is, only not before everything else.

    Where the kernel groups processes by session (sched_autogroup, on in Debian), a nice value counts within a session
    only, and the session has one of its own; it is changed where it is ours alone, as a service's is. [sched(7)]
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, priority)
        if os.getsid(0) != os.getpid():
            return
        with open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write(str(priority))
    except (PermissionError, FileNotFoundError):
        return


def _first_document() -> int:
    """Numbers that are not used again after a restart, even with a clock that starts in 1970 each time."""
    return int(time.time()) << 20


def _stop_on_signals(relay: Relay) -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def woken(events: int) -> None:
        os.read(reader, 64)
        relay.stop(STOP_WITHIN_S)

    relay.wake_on(reader, woken)


def _relay(settings: LineSettings, profile: PrinterProfile) -> Relay:
    from drivers.registry import printer_end, till_end

    core = GuardedCore(profile, settings, os.urandom(8), _first_document())
    core.on_fault = _log
    till = till_end(settings.till, settings.allow)
    return Relay(core, till, printer_end(settings.printer), settings.engine, _log)


def main(argv: list[str] | None = None) -> int:
    """Runs the line; 0 after a clean stop, 2 when it can't start."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or "--help" in arguments or "-h" in arguments:
        print(USAGE)
        return 0
    try:
        settings, profile, warning = _configured(arguments)
        if warning:
            _log(f"edgebox-line: {warning}")
        relay = _relay(settings, profile)
        _stop_on_signals(relay)
        become_urgent(PRIORITY)
        gc.collect()
        gc.freeze()
        gc.disable()  # the loop makes no cycles; a collection in the middle of a receipt would cost milliseconds
        relay.run()
    except EdgeboxError as fault:
        _log(f"edgebox-line: {fault}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
