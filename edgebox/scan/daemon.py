"""`edgebox-scan`: one bar-code scanner, one till, one process.

Owns: the command line, signals, and the process itself (memory, priority). Never: the wire (relay.py) or its decisions
(core.py). Standard library only; a driver is loaded when its URL names it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

from edgebox.dataplane import become_urgent, options_of, say, told_by_child, wait_to_be_begun_again
from edgebox.errors import ConfigError, EdgeboxError
from edgebox.scan.guard import GuardedScan
from edgebox.scan.relay import Relay
from edgebox.scan.settings import ScannerSettings, from_toml

USAGE = """usage: edgebox-scan --scanner URL --till URL [--engine SOCKET] [--name N] [--config F] [--set KEY=VALUE]

One scanner: what it reads goes to the till, but for the codes that the engine wants.

  --scanner URL     where it is: evdev:///dev/input/by-id/usb-…-event-kbd, serial:///dev/ttyACM0?baud=9600&flow=none,
                    hidraw:///dev/hidraw0
  --till URL        where its codes go: hidkbd:///dev/hidg0?layout=us, serial:///dev/ttyS0?baud=9600&flow=none, none:
  --engine SOCKET   the engine's Unix socket for scanners; "": everything goes to the till
  --name N          which [[scanner]] of the configuration, and the name in messages
  --config F        edgebox.toml; flags come before it
  --set KEY=VALUE   any other key of [[scanner]], e.g. --set suffix=tab
"""
STOP_WITHIN_S = 1.0  # systemd waits 90; a code takes some milliseconds
PRIORITY = -10  # as a line's: a customer waits with a payment code that is good for a minute
FLAGS = ("scanner", "till", "engine", "name", "config", "set")


def _settings(argv: list[str]) -> tuple[Any, ...]:
    """As plain values."""
    found, sets = options_of(argv, FLAGS, "edgebox-scan")
    merged = ScannerSettings()
    if "config" in found:
        path = Path(found.pop("config"))
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as fault:
            raise ConfigError(f"{path}: {fault.strerror}", reason="unreadable") from fault
        merged = from_toml(text, found.get("name", ""), str(path))
    merged = merged._replace(**cast(dict[str, Any], found))
    for pair in sets:
        key, _, value = pair.partition("=")
        merged = merged.with_value(key, value)
    for key, value in (("scanner", merged.scanner), ("till", merged.till)):
        if not value:
            raise ConfigError(f"--{key} is missing", reason="missing", hint="edgebox-scan --help shows an example")
    return tuple(merged)


def _stop_on_signals(relay: Relay) -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # SIGHUP (`systemctl reload`): systemd begins it anew
        signal.signal(number, lambda *_: None)

    def woken(events: int) -> None:
        os.read(reader, 64)
        relay.stop(STOP_WITHIN_S)

    relay.wake_on(reader, woken)


def _relay(settings: ScannerSettings) -> Relay:
    from drivers.registry import code_end, scanner_end

    core = GuardedScan(settings, os.urandom(8))
    core.on_fault = say
    core.on_loss = lambda codes, why: say(f"{codes} code{'' if codes == 1 else 's'} lost: {why}")
    return Relay(core, scanner_end(settings.scanner), code_end(settings.till), settings.engine, say)


def main(argv: list[str] | None = None) -> int:
    """Runs the scanner; 0 after a clean stop, 2 when it can't start."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or "--help" in arguments or "-h" in arguments:
        print(USAGE)
        return 0
    try:
        relay = _relay(ScannerSettings(*cast(tuple[Any, ...], told_by_child(lambda: _settings(arguments)))))
        _stop_on_signals(relay)
        become_urgent(PRIORITY)
        gc.collect()
        gc.freeze()
        gc.disable()  # the loop makes no cycles
        relay.run()
    except EdgeboxError as fault:
        say(f"edgebox-scan: {fault}")
        wait_to_be_begun_again()
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
