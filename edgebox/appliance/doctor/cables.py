"""The doctor on serial cables: does one side make the other wait, and were bytes lost?

Owns: what a port's settings, lines and counts mean. Never: sends a byte, or changes how a port is set.

The port is opened beside the line that has it: nothing pulses then, since the lines are up already. What is counted is
counted by the UART's driver since the machine began (TIOCGICOUNT): an overrun is a byte that came and was lost; a frame
error is a byte of another speed; a line that changed its level is one that somebody uses.
"""

from __future__ import annotations

import contextlib
import os
import struct
import termios
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import NamedTuple

from drivers.base import Url, parse_url
from drivers.serial import Flow, has_modem_lines, modem_lines
from edgebox.appliance.doctor.finding import Finding, Grade, Machine, ok
from edgebox.errors import DriverError

TIOCGICOUNT = 0x545D  # include/uapi/asm-generic/ioctls.h; the answer: struct serial_icounter_struct, 20 ints
WATCHED = {Flow.DSRDTR: "dsr", Flow.RTSCTS: "cts"}
BITS = {"cts": termios.TIOCM_CTS, "dsr": termios.TIOCM_DSR}
WRONG_SHARE = 100  # one frame error in so many bytes is no disturbance
_MENDS = {
    "dsr": "flow=dsrdtr in the URL, if the printer is set to DTR/DSR (Epson: DIP 1-3 off)",
    "cts": "flow=rtscts in the URL: this cable wires RTS to CTS",
}


class Counts(NamedTuple):
    """Since the machine began: level changes of the other side's lines, bytes, and what went wrong."""

    cts: int = 0
    dsr: int = 0
    rx: int = 0
    tx: int = 0
    frame: int = 0
    overrun: int = 0
    parity: int = 0
    breaks: int = 0
    full: int = 0  # bytes lost because the kernel's own buffer was full


class Cable(NamedTuple):
    """A port as it is now. `lines`: TIOCM_ bits, None where it has none; `counts`: None where nobody counts."""

    flow: Flow
    lines: int | None
    counts: Counts | None

    def is_up(self, name: str) -> bool:
        """`cts` or `dsr`, now."""
        return self.lines is not None and bool(self.lines & BITS[name])

    def changes(self, name: str) -> int:
        """How often that line has changed; 0 where nobody counts."""
        return 0 if self.counts is None else int(getattr(self.counts, name))


def seen(path: Path) -> Cable | None:
    """Looks; None: it can't be opened (somebody holds it for himself alone, or may not)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        attributes = termios.tcgetattr(fd)
        if attributes[2] & termios.HUPCL:  # closed by the last one, the lines would fall, and a printer may reset
            attributes[2] &= ~termios.HUPCL
            termios.tcsetattr(fd, termios.TCSANOW, attributes)
        lines = modem_lines(fd) if has_modem_lines(fd) else None
        return Cable(_flow_of(attributes[0], attributes[2]), lines, _counts(fd))
    except (OSError, termios.error):
        return None
    finally:
        os.close(fd)


def _flow_of(iflag: int, cflag: int) -> Flow:
    """What the kernel does by itself; DSR/DTR, which it can't, looks like none."""
    if cflag & termios.CRTSCTS:
        return Flow.RTSCTS
    return Flow.XONXOFF if iflag & (termios.IXON | termios.IXOFF) else Flow.NONE


def _counts(fd: int) -> Counts | None:
    told = bytearray(80)
    with contextlib.suppress(OSError):
        ioctl(fd, TIOCGICOUNT, told)
        cts, dsr, _, _, rx, tx, frame, overrun, parity, breaks, full = struct.unpack("11i", told[:44])
        return Counts(cts, dsr, rx, tx, frame, overrun, parity, breaks, full)
    return None


def cables(machine: Machine) -> Iterator[Finding]:
    """Each serial end of each line."""
    for line in machine.config.line:
        for end, text in (("till", line.till), ("printer", line.printer)):
            if text.startswith("serial:"):
                with contextlib.suppress(DriverError):  # wires.py says so
                    yield from _cable(machine, line.name, end, parse_url(text))


def _cable(machine: Machine, line: str, end: str, url: Url) -> Iterator[Finding]:
    part = f"line {line}, {end}"
    path = machine.at(url.path)
    cable = machine.cable(path) if path.exists() else None
    if cable is None:
        return
    flow = Flow(url.option("flow") or Flow.NONE)
    told = machine.who(line)
    found = [*(_printer if end == "printer" else _till)(part, flow, cable), *_losses(part, cable)]
    if told is not None:
        found += _changed(part, flow, cable)
        if end == "printer" and flow is not Flow.XONXOFF:
            found += _xoffs(part, told.get("printer_xoffs", "0"))
    yield from found or [ok(part, f"flow control {flow} works, and nothing was lost", "cable_ok", flow.value)]


def _till(part: str, flow: Flow, cable: Cable) -> Iterator[Finding]:
    """Is there somebody who could hear us say wait?"""
    if flow in WATCHED and cable.lines is not None and not (cable.is_up("cts") or cable.is_up("dsr")):
        yield Finding(
            Grade.WARNING, part, f"flow={flow}, but the till shows neither CTS nor DSR",
            "it is off, or its cable has three wires: then it doesn't hear us say wait",
            "switch the till on; a cable with all wires, or flow=xonxoff at both ends",
            key="cable_till_silent", value=flow.value,
        )  # fmt: skip


def _printer(part: str, flow: Flow, cable: Cable) -> Iterator[Finding]:
    """Does the printer's sign arrive?"""
    if flow is Flow.NONE:
        used = next((name for name in ("dsr", "cts") if cable.is_up(name)), "")
        if used:
            yield Finding(
                Grade.WARNING, part, f"flow=none, but the printer shows {used.upper()}",
                "a receipt longer than its buffer loses lines", _MENDS[used],
                key="cable_none", value=used.upper(),
            )  # fmt: skip
        return
    watched = WATCHED.get(flow)
    if watched is None:
        return
    other = "cts" if watched == "dsr" else "dsr"
    if cable.lines is None:
        yield Finding(
            Grade.WARNING, part, f"flow={flow}, but this port has no such lines",
            "nobody makes the box wait: a receipt longer than the printer's buffer loses lines",
            "another adapter (FTDI, CP2102N, PL2303 have them), or flow=xonxoff at both ends",
            key="cable_no_lines", value=flow.value,
        )  # fmt: skip
    elif not cable.is_up(watched) and (cable.is_up(other) or (cable.changes(other) and not cable.changes(watched))):
        yield Finding(
            Grade.FAILED, part, f"flow={flow}, but the printer uses {other.upper()} alone",
            "the line waits for ever", _MENDS[other],
            key="cable_other_line", value=other.upper(),
        )  # fmt: skip
    elif not cable.is_up(watched):
        yield Finding(
            Grade.WARNING, part, f"the printer says wait: {watched.upper()} is down",
            "nothing is printed meanwhile", "is it on? paper, cover? a cable with all wires? its handshaking switch?",
            key="cable_busy", value=watched.upper(),
        )  # fmt: skip


def _changed(part: str, flow: Flow, cable: Cable) -> Iterator[Finding]:
    """Is the port still as the line has set it? A driver that can't do RTS/CTS takes the flag out by itself."""
    wanted = Flow.NONE if flow is Flow.DSRDTR else flow
    if cable.flow is not wanted and not (wanted is Flow.RTSCTS and cable.flow is Flow.NONE):
        yield Finding(
            Grade.WARNING, part, f"flow={flow}, but the port is set to {cable.flow} now",
            "another program has set it: bytes may be lost or swallowed",
            "systemctl disable --now ModemManager brltty; and no serial-getty@ on this port",
            key="cable_changed", value=cable.flow.value,
        )  # fmt: skip


def _losses(part: str, cable: Cable) -> Iterator[Finding]:
    counts = cable.counts
    if counts is None:
        return
    lost = counts.overrun + counts.full
    if lost:
        yield Finding(
            Grade.WARNING, part, f"{lost} bytes were lost on arrival since the machine began",
            "letters miss in receipts, or in what the printer says",
            "a slower baud at both ends; flow control at both ends; an adapter with a larger buffer",
            key="cable_overrun", value=str(lost),
        )  # fmt: skip
    wrong = counts.frame + counts.parity
    if wrong and wrong * WRONG_SHARE >= counts.rx:
        yield Finding(
            Grade.WARNING, part, f"{wrong} of {counts.rx} bytes came broken", "they are of another speed or parity",
            "baud and parity as the printer's self-test prints them",
            key="cable_broken", value=str(wrong),
        )  # fmt: skip


def _xoffs(part: str, text: str) -> Iterator[Finding]:
    if text.isdecimal() and int(text):
        yield Finding(
            Grade.FAILED, part, f"the printer said XOFF {text} times, and nobody listens to it",
            "a receipt longer than its buffer loses lines",
            "set it to DTR/DSR (Epson: DIP 1-3 off), or flow=xonxoff in the URL",
            key="cable_xoff", value=text,
        )  # fmt: skip
