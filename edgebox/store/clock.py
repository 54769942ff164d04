"""What time it is, and whether that can be believed.

Owns: `Reading` (one look at all clocks), `SystemClock`, and `Trust`, which decides. Never: orders anything; order is by
sequence number alone.

A box often has no clock that runs without power. It then starts at its last shutdown's time, or in 1970, until NTP has
set it. The kernel knows: STA_UNSYNC is set at boot and by every `date -s`, and cleared by an NTP daemon
(systemd-timesyncd; chrony with `rtcsync`, Debian's default). [adjtimex(2); kernel/time/ntp.c: ntp_clear]
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import NamedTuple, Protocol

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STA_UNSYNC = 0x0040  # [linux/timex.h]
JUMP_MS = 1000  # a leap second moves the clock by so much; more is somebody's doing
NS_PER_MS = 1_000_000


class Reading(NamedTuple):
    """One look. `boot`: this run of the machine; `mono_ms`: its uptime; `at_ms`: since 1970; `synced`: says NTP."""

    boot: str
    mono_ms: int
    at_ms: int
    synced: bool


class Clock(Protocol):
    """Where readings come from."""

    def now(self) -> Reading:
        """A look at the clocks."""


class _Timex(ctypes.Structure):
    """struct timex of 64-bit Linux, as far as `status`; the rest is room. [adjtimex(2)]"""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


class SystemClock:
    """The machine's own."""

    def __init__(self) -> None:
        self._boot = BOOT_ID.read_text("ascii").strip()
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        self._timex = _Timex()  # modes 0: nothing is set

    def now(self) -> Reading:
        """A look at the clocks. Uptime counts suspended time, too."""
        mono_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // NS_PER_MS
        return Reading(self._boot, mono_ms, time.time_ns() // NS_PER_MS, self._is_synced())

    def _is_synced(self) -> bool:
        state = self._adjtimex(ctypes.byref(self._timex))
        return state >= 0 and not self._timex.status & STA_UNSYNC


class Trust:
    """Whether a reading's wall time is right. `highest_ms`: the latest time that ever was trusted on this box.

    Right is: NTP says so, or has said so in this run of the box and nobody has set the clock since; and never before
    the latest trusted time. If NTP itself was wrong for a while, that latest time lies ahead; `forget` ends it.
    """

    __slots__ = ("_synced_offset", "highest_ms")

    def __init__(self, highest_ms: int = 0) -> None:
        self.highest_ms = highest_ms
        self._synced_offset: int | None = None

    def judge(self, reading: Reading) -> bool:
        """Takes the reading into account, too."""
        offset = reading.at_ms - reading.mono_ms
        if reading.synced:
            self._synced_offset = offset
        elif self._synced_offset is None or abs(offset - self._synced_offset) > JUMP_MS:
            return False
        if reading.at_ms < self.highest_ms - JUMP_MS:
            return False
        self.highest_ms = max(self.highest_ms, reading.at_ms)
        return True

    def forget(self) -> None:
        """Somebody who knows says that the clock is right now."""
        self.highest_ms = 0
