"""The doctor on the box itself: clock, disk, memory, heat, power, and the services.

Owns: what each reading means for a shop. Never: changes any of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgebox.appliance.doctor.finding import Finding, Grade, Machine, ok
from edgebox.appliance.doctor.wires import is_socket

YEAR_2026 = 1_767_225_600  # seconds since 1970: no box runs this software before that
HOT_C, VERY_HOT_C = 75, 82  # a Raspberry Pi slows down at 80 and 85
MEMORY_MIN_MB = 64  # engine and lines need 80 together; what is left is for the system
FREE_MIN_MB = 200
WORN_PCT, WORN_OUT_PCT = 70, 90  # of a card's life, by its own estimate, in steps of ten [JESD84-B51, 7.4.94]


def clock(machine: Machine) -> Iterator[Finding]:
    """Whether it is right, and who keeps it without power."""
    why = "claims of a wrong day are refused by the cloud, and coupons are not redeemed without it"
    if machine.now() < YEAR_2026:
        yield Finding(
            Grade.FAILED,
            "clock",
            "it is wrong by years",
            why,
            "timedatectl set-ntp true; check the network",
            key="clock_wrong",
        )
    else:
        told = machine.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
        if told is None:
            yield Finding(
                Grade.UNKNOWN,
                "clock",
                "nobody can say whether it is synchronised",
                why,
                "timedatectl",
                key="clock_unknown",
            )
        elif told.strip() != "yes":
            mend = "timedatectl set-ntp true; is UDP port 123 open?"
            yield Finding(Grade.WARNING, "clock", "it is not synchronised", why, mend, key="clock_free")
        else:
            yield ok("clock", "synchronised", "clock_ok")
    if not machine.at("/sys/class/rtc/rtc0").exists():
        yield Finding(
            Grade.WARNING, "clock chip", "there is none", "behind a power cut it is wrong until the network is back",
            "add a battery-backed clock (DS3231), or see that the network comes up first",
            key="clock_no_chip",
        )  # fmt: skip


def disk(machine: Machine) -> Iterator[Finding]:
    """Room, rights and wear."""
    data = machine.configured(machine.config.engine.data)
    why = "nothing can be recorded, so no slips are printed"
    if not data.is_dir():
        yield Finding(
            Grade.FAILED,
            "disk",
            f"{data} is not there",
            why,
            f"install -d -o edgebox -m 700 {data}",
            key="disk_missing",
            value=str(data),
        )
        return
    found = os.statvfs(data)
    if found.f_flag & os.ST_RDONLY:
        yield Finding(
            Grade.FAILED,
            "disk",
            f"{data} is read-only",
            why,
            "a failing card: dmesg | grep -i error; copy it, replace it",
            key="disk_read_only",
            value=str(data),
        )
        return
    free_mb = shutil.disk_usage(data).free >> 20
    if free_mb < FREE_MIN_MB:
        mend = "du -xh / | sort -h | tail; journalctl --vacuum-size=50M; [store] max_mb"
        yield Finding(
            Grade.FAILED if free_mb < 16 else Grade.WARNING,
            "disk",
            f"{free_mb} MB left",
            why,
            mend,
            key="disk_low",
            value=str(free_mb),
        )
    else:
        yield ok("disk", f"{free_mb} MB left", "disk_ok", str(free_mb))
    yield from _wear(machine)


def _wear(machine: Machine) -> Iterator[Finding]:
    """What an eMMC says of itself; SD cards say nothing."""
    for card in sorted(machine.at("/sys/block").glob("mmcblk*/device/life_time")):
        steps = [int(word, 16) for word in card.read_text("ascii", "replace").split() if word.startswith("0x")]
        used_pct = max(steps, default=0) * 10
        name = card.parents[1].name
        if used_pct >= WORN_PCT:
            yield Finding(
                Grade.FAILED if used_pct >= WORN_OUT_PCT else Grade.WARNING, "disk wear",
                f"{name}: {used_pct} % used up", "a worn card turns read-only, and nothing is recorded",
                "edgebox backup, replace it, edgebox restore",
                key="worn_card", value=str(used_pct),
            )  # fmt: skip
        elif used_pct:
            yield ok("disk wear", f"{name}: at most {used_pct} % used up", "worn_little", str(used_pct))


def strain(machine: Machine) -> Iterator[Finding]:
    """Memory, heat, and the power supply."""
    available = next(
        (line for line in machine.text("/proc/meminfo").splitlines() if line.startswith("MemAvailable")), ""
    )
    if available:
        left_mb = int(available.split()[1]) >> 10
        if left_mb < MEMORY_MIN_MB:
            yield Finding(
                Grade.WARNING, "memory", f"{left_mb} MB left", "the engine may be killed, and slips miss meanwhile",
                "systemctl status: what else runs here?",
                key="memory_low", value=str(left_mb),
            )  # fmt: skip
        else:
            yield ok("memory", f"{left_mb} MB left", "memory_ok", str(left_mb))
    degrees = machine.text("/sys/class/thermal/thermal_zone0/temp")
    if degrees.isdecimal():
        heat_c = int(degrees) // 1000
        if heat_c >= HOT_C:
            yield Finding(
                Grade.FAILED if heat_c >= VERY_HOT_C else Grade.WARNING, "heat", f"{heat_c} °C",
                "it slows down, and cards die of it", "give it air; not on the printer, not in the sun",
                key="heat_high", value=str(heat_c),
            )  # fmt: skip
        else:
            yield ok("heat", f"{heat_c} °C", "heat_ok", str(heat_c))
    for alarm in sorted(machine.at("/sys/class/hwmon").glob("*/in*_lcrit_alarm")):
        if alarm.read_text("ascii", "replace").strip() == "1":
            yield Finding(
                Grade.WARNING, "power", "the voltage was too low",
                "under load it restarts, in the middle of a receipt", "use the supply made for it, not a phone's",
                key="power_low",
            )  # fmt: skip


def services(machine: Machine) -> Iterator[Finding]:
    """Whether what should run does."""
    units = ["edgebox.service", *(f"edgebox-line@{line.name}.service" for line in machine.config.line)]
    units += [f"edgebox-scan@{one.name}.service" for one in machine.config.scanner if one.scanner]
    for unit in units:
        told = machine.run(["systemctl", "show", unit, "--property=ActiveState,NRestarts,LoadState"])
        if not told:  # no systemctl, or nobody who answers it
            yield Finding(
                Grade.UNKNOWN,
                "services",
                "this machine runs no systemd",
                "",
                "make run, or edgebox run",
                key="service_no_systemd",
            )
            return
        yield from _service(unit, dict(line.partition("=")[::2] for line in told.splitlines()))


def _service(unit: str, told: dict[str, str]) -> Iterator[Finding]:
    is_engine = unit == "edgebox.service"
    why = "the shop prints, but without slips" if is_engine else "this till does not print"
    state, restarts = told.get("ActiveState", ""), told.get("NRestarts", "0")
    if told.get("LoadState") == "not-found":
        yield Finding(
            Grade.FAILED,
            unit,
            "it is not installed",
            why,
            "sudo make install, or install the .deb",
            key="service_missing",
        )
    elif state != "active":
        yield Finding(
            Grade.FAILED,
            unit,
            f"it is {state}",
            why,
            f"systemctl start {unit}; journalctl -u {unit} -n 20",
            key="service_down",
            value=state,
        )
    elif restarts.isdecimal() and int(restarts) > 2:
        yield Finding(
            Grade.WARNING, unit, f"it began anew {restarts} times", "something kills it again and again",
            f"journalctl -u {unit} -n 50",
            key="service_restarts", value=restarts,
        )  # fmt: skip
    else:
        yield ok(unit, "running", "service_ok")


def engine(machine: Machine) -> Iterator[Finding]:
    """Its sockets: what lines and scanners look for."""
    path = machine.configured(machine.config.engine.socket)
    if is_socket(path):
        yield ok("engine", f"{path} is there", "engine_ok")
    else:
        yield Finding(
            Grade.FAILED,
            "engine",
            f"no socket at {path}",
            "lines print without slips",
            "systemctl restart edgebox",
            key="engine_no_socket",
            value=str(path),
        )
    for line in machine.config.line:
        if line.engine and Path(line.engine) != Path(machine.config.engine.socket):
            yield Finding(
                Grade.FAILED, f"line {line.name}", f"it looks for the engine at {line.engine}",
                "it prints without slips",
                f"engine = {machine.config.engine.socket!r} in [[line]]",
                key="engine_elsewhere", value=line.engine,
            )  # fmt: skip
