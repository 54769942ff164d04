"""How the box's hardware stands, gathered for a page: lines, scanners, radio, clock, disk, heat.

Owns: the shapes, and asking each part once. Never: opens a device; what takes long is read in a thread.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from pathlib import Path

import msgspec

from edgebox.beacons.radio import Radio
from edgebox.notices import printer_said, printer_words
from edgebox.scan_desk import ScanDesk
from edgebox.store.clock import SystemClock
from edgebox.web.office import Office

HEAT = Path("/sys/class/thermal/thermal_zone0/temp")  # thousandths of a degree [sysfs-class-thermal]
WORN_DAYS = 7  # of wear: a week tells whether something writes too much


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One wire. `printer_state`: ok, warning, failed, or "" while nobody has heard it; `words`: what it says.
    `slips`: they are on; `profile`: as the line has it, `wanted`: as the settings have it now."""

    name: str
    till: str
    printer: str
    profile: str
    wanted: str
    connected: bool
    printer_state: str
    words: list[str]
    slips: bool


class Scanner(msgspec.Struct, frozen=True, kw_only=True):
    """One scanner. `connected`: its process is there; the ends: whether scanner and till are; `armed`: its mode key."""

    name: str
    scanner: str
    till: str
    connected: bool
    scanner_up: bool
    till_up: bool
    words: str
    armed: str


class Bluetooth(msgspec.Struct, frozen=True, kw_only=True):
    """The radio. `wanted`: the settings want it at all; states: ok or warning."""

    wanted: bool
    sending: str
    sending_words: str
    listening: str
    listening_words: str


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: seconds since 1970; `trusted`: the network's time; `up_s`: since the box was switched on."""

    at: int
    trusted: bool
    up_s: int


class Worn(msgspec.Struct, frozen=True, kw_only=True):
    """What was written to the card on a day."""

    day: str
    bytes: int


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. `pressure`: 0 there is room, to 4 nothing is recorded."""

    used: int
    capacity: int
    free: int
    papers: int
    pressure: int
    worn: list[Worn]


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `temperature_c` None: this machine doesn't say."""

    version: str
    lines: list[Line]
    scanners: list[Scanner]
    bluetooth: Bluetooth
    clock: Clock
    disk: Disk
    temperature_c: int | None


async def devices(office: Office) -> Devices:
    """As it is now. StoreError."""
    reading = SystemClock().now()
    return Devices(
        version=importlib.metadata.version("edgebox"),
        lines=_lines(office),
        scanners=_scanners(office),
        bluetooth=_bluetooth(office),
        clock=Clock(at=office.now, trusted=reading.synced, up_s=reading.mono_ms // 1000),
        disk=await _disk(office),
        temperature_c=await asyncio.to_thread(_heat),
    )


def _lines(office: Office) -> list[Line]:
    host, found = office.host, []
    for row in office.config.line:
        session = host.lines.get(row.name)
        status = session.status if session is not None else None
        state = printer_words(status)[0] if status is not None else ""
        profile = session.hello.profile if session is not None and session.hello is not None else row.profile
        words = list(printer_said(status)) if status is not None else []
        found.append(
            Line(
                name=row.name,
                till=row.till,
                printer=row.printer,
                profile=profile,
                wanted=row.profile,
                connected=session is not None,
                printer_state=state,
                words=words,
                slips=row.name not in host.bypassed,
            )
        )
    return found


def _scanners(office: Office) -> list[Scanner]:
    desk, found = office.part(ScanDesk), []
    for row in office.config.scanner:
        if not (row.scanner or row.till):
            continue
        session = desk.scanners.get(row.name) if desk is not None else None
        ends = session.last_ends if session is not None else None
        found.append(
            Scanner(
                name=row.name,
                scanner=row.scanner,
                till=row.till,
                connected=session is not None,
                scanner_up=ends is not None and ends.scanner_up,
                till_up=ends is not None and ends.till_up,
                words=ends.words if ends is not None else "",
                armed=desk.armed_for.get(row.name, "") if desk is not None else "",
            )
        )
    return found


def _bluetooth(office: Office) -> Bluetooth:
    radio, wanted = office.part(Radio), office.config.beacons
    sending = radio.sending_stands() if radio is not None else ("ok", "off")
    listening = radio.listening_stands() if radio is not None else ("ok", "off")
    return Bluetooth(
        wanted=bool(wanted.send or wanted.scan) or sending[1] not in ("off", "nothing to send"),
        sending=sending[0], sending_words=sending[1], listening=listening[0], listening_words=listening[1],
    )  # fmt: skip


async def _disk(office: Office) -> Disk:
    found = await office.reports.disk()
    return Disk(
        used=found.usage.used, capacity=found.limits.capacity, free=found.usage.disk, papers=found.paper_bytes,
        pressure=found.pressure, worn=[Worn(day=one.day, bytes=one.written_bytes) for one in found.worn[:WORN_DAYS]],
    )  # fmt: skip


def _heat() -> int | None:
    try:
        return int(HEAT.read_text("ascii")) // 1000
    except (OSError, ValueError):
        return None
