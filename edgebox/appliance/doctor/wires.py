"""The doctor on the wires: every till, printer and scanner of the configuration, and the box's own USB port.

Owns: what can be told without opening a device that a line has. Never: prints, and never sends to a serial port.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from drivers.address import host_and_port
from drivers.base import Url, parse_url
from drivers.registry import code_end, printer_end, scanner_end, till_end
from edgebox.appliance.doctor.finding import Finding, Grade, Machine, ok
from edgebox.appliance.plugged import Plugged, Use, plugged
from edgebox.errors import ConfigError, DriverError
from edgebox.printers import load_printers

CONNECT_S = 2.0
PRINTS_NOTHING = "this till's receipts are not printed"
ENDS: Mapping[str, Callable[[str], object]] = {
    "till_end": till_end,
    "printer_end": printer_end,
    "scanner_end": scanner_end,
    "code_end": code_end,
}
_KERNEL_NAMES = ("/dev/usb/lp", "/dev/ttyUSB", "/dev/ttyACM", "/dev/input/event", "/dev/hidraw")


def wires(machine: Machine) -> Iterator[Finding]:
    """Both ends of each line and scanner."""
    if not machine.config.line:
        yield Finding(
            Grade.FAILED,
            "lines",
            "no [[line]] is configured",
            "nothing is printed",
            "edgebox setup, or edit edgebox.toml",
            key="wire_no_lines",
        )
    for line in machine.config.line:
        yield from _end(machine, f"line {line.name}, till", line.till, "till_end")
        yield from _end(machine, f"line {line.name}, printer", line.printer, "printer_end")
        yield from _same_ends(f"line {line.name}", line.till, line.printer)
    for scanner in machine.config.scanner:
        if scanner.scanner or scanner.till:
            yield from _end(machine, f"scanner {scanner.name}", scanner.scanner, "scanner_end")
            yield from _end(machine, f"scanner {scanner.name}, till", scanner.till, "code_end")


def _same_ends(part: str, till: str, printer: str) -> Iterator[Finding]:
    if till and till == printer:
        yield Finding(
            Grade.FAILED,
            part,
            f"till and printer are both {till}",
            "bytes would go in a circle",
            "edit [[line]]",
            key="wire_circle",
            value=till,
        )


def _end(machine: Machine, part: str, text: str, kind: str) -> Iterator[Finding]:
    if not text:
        yield Finding(
            Grade.FAILED,
            part,
            "no URL",
            PRINTS_NOTHING,
            "`edgebox devices` lists what is plugged in",
            key="wire_no_url",
        )
        return
    try:
        url = parse_url(text)
        ENDS[kind](text)
    except DriverError as fault:
        yield Finding(
            Grade.FAILED,
            part,
            str(fault.args[0]),
            PRINTS_NOTHING,
            fault.hint,
            key="wire_bad_url",
            value=str(fault.args[0]),
        )
        return
    if url.scheme == "tcp":
        yield from (_dialled(machine, part, url) if kind in ("printer_end", "code_end") else ())
    elif url.scheme == "usb":
        yield from _usb(machine, part, url)
    elif url.path:
        yield from _node(machine, part, url)


def _dialled(machine: Machine, part: str, url: Url) -> Iterator[Finding]:
    host, port = host_and_port(url)
    if url.text in machine.held:  # most printers serve one at a time
        yield ok(part, f"{url.text} is connected", "wire_answers", url.text)
        return
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    except socket.gaierror as fault:
        yield Finding(
            Grade.FAILED,
            part,
            f"{host}: {fault.strerror}",
            PRINTS_NOTHING,
            "write the printer's number, not its name",
            key="wire_no_name",
            value=host,
        )
        return
    try:
        with socket.create_connection((str(address[0]), port), CONNECT_S):
            yield ok(part, f"{url.text} takes a connection", "wire_answers", url.text)
    except TimeoutError:
        yield Finding(
            Grade.FAILED, part, f"{url.text} does not answer", PRINTS_NOTHING,
            "is it on? its self-test slip shows its address: `ping` that",
            key="wire_silent", value=url.text,
        )  # fmt: skip
    except ConnectionRefusedError:
        yield Finding(
            Grade.WARNING, part, f"{url.text} refuses: the printer is busy with somebody, or has another port",
            "most printers serve one at a time: a till that prints past the box blocks it",
            "stop what prints to it directly; the usual port is 9100",
            key="wire_refused", value=url.text,
        )  # fmt: skip
    except OSError as fault:
        yield Finding(
            Grade.FAILED,
            part,
            f"{url.text}: {fault.strerror}",
            PRINTS_NOTHING,
            "check cable, network and address: ip addr",
            key="wire_unreachable",
            value=f"{url.text}: {fault.strerror}",
        )


def _usb(machine: Machine, part: str, url: Url) -> Iterator[Finding]:
    wanted = url.host.lower()
    there = printers(machine)
    if any(wanted in one.url.lower() or f"({wanted})" in one.words.lower() for one in there):
        yield ok(part, f"{url.text} is plugged in", "wire_plugged", url.text)
    else:
        yield Finding(
            Grade.FAILED,
            part,
            f"{url.text} is not plugged in",
            PRINTS_NOTHING,
            "check cable; edgebox devices",
            key="wire_unplugged",
            value=url.text,
        )


def _node(machine: Machine, part: str, url: Url) -> Iterator[Finding]:
    path = machine.at(url.path)
    if not path.exists():
        mend = _absent(url)
        yield Finding(
            Grade.FAILED, part, f"{url.path} is not there", PRINTS_NOTHING, mend, key="wire_unplugged", value=url.path
        )
        return
    if url.path.startswith(_KERNEL_NAMES):
        yield Finding(
            Grade.WARNING, part, f"{url.path} is a name by order of plugging in",
            "after a restart it may be another device's", "use the lasting name that `edgebox devices` shows",
            key="wire_kernel_name", value=url.path,
        )  # fmt: skip
    needed = os.R_OK if url.scheme in ("evdev", "hidraw") else os.R_OK | os.W_OK
    if url.scheme != "file" and not may(path, machine.user, needed):
        group = _group_of(path)
        yield Finding(
            Grade.FAILED, part, f"{machine.user or 'this user'} may not open {url.path}", PRINTS_NOTHING,
            f"usermod -aG {group} {machine.user or '$USER'}; or install systemd/60-edgebox.rules and replug",
            key="wire_forbidden", value=url.path,
        )  # fmt: skip
        return
    yield ok(part, f"{url.path} is there", "wire_plugged", url.path)


def _absent(url: Url) -> str:
    if url.scheme == "gadget" or url.path.startswith(("/dev/g_", "/dev/hidg", "/dev/ttyGS")):
        return "systemctl status edgebox-gadget; [gadget] in edgebox.toml"
    if url.scheme == "usblp":
        return "check cable and power; modprobe usblp; edgebox devices"
    return "check cable and power; edgebox devices"


def may(path: Path, user: str, wanted: int) -> bool:
    """Whether `user` may open a node, by its mode, owner and group; "": we ourselves, as the kernel says."""
    if not user:
        return os.access(path, wanted)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return os.access(path, wanted)
    found = path.stat()
    if entry.pw_uid in (0, found.st_uid):
        bits = found.st_mode >> 6 if entry.pw_uid else 7
    elif found.st_gid in os.getgrouplist(user, entry.pw_gid):
        bits = found.st_mode >> 3
    else:
        bits = found.st_mode
    return bits & wanted == wanted


def _group_of(path: Path) -> str:
    gid = path.stat().st_gid
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def own_port(machine: Machine) -> Iterator[Finding]:
    """The box on the till's USB port."""
    wanted = machine.config.gadget
    if not (wanted.printer or wanted.keyboard or wanted.serial):
        return
    why = "the till sees no printer on its USB port"
    if not machine.at("/sys/kernel/config/usb_gadget").is_dir():
        yield Finding(
            Grade.FAILED,
            "USB port",
            "the kernel has no libcomposite",
            why,
            "modprobe libcomposite",
            key="port_no_kernel",
        )
        return
    controllers = machine.at("/sys/class/udc")
    if not controllers.is_dir() or not any(controllers.iterdir()):
        yield Finding(
            Grade.FAILED, "USB port", "no port of this machine can be a device", why,
            "Raspberry Pi 4 and 5: dtoverlay=dwc2,dr_mode=peripheral in /boot/firmware/config.txt, and the USB-C port",
            key="port_none",
        )  # fmt: skip
        return
    if not machine.text("/sys/kernel/config/usb_gadget/edgebox/UDC"):
        yield Finding(
            Grade.FAILED,
            "USB port",
            "the gadget is not made",
            why,
            "systemctl enable edgebox-gadget; systemctl restart edgebox-gadget",
            key="port_not_made",
        )
        return
    state = machine.text(f"/sys/class/udc/{next(controllers.iterdir()).name}/state")
    if state and state != "configured":
        yield Finding(
            Grade.WARNING,
            "USB port",
            f"the till has not taken it: {state}",
            why,
            "plug the cable in at the till; till on?",
            key="port_not_taken",
        )
        return
    yield ok("USB port", "the till has it", "port_ok")


def printers(machine: Machine) -> list[Plugged]:
    """Those that are plugged in, by URLs as the configuration has them."""
    prefix = str(machine.root).rstrip("/")
    found = plugged(machine.at("/sys"), machine.at("/dev"))
    return [one._replace(url=one.url.replace(f"//{prefix}/", "///", 1)) for one in found if one.use is Use.PRINTER]


def suggested(model: str) -> list[str]:
    """Profiles whose name holds the model's, letters and digits alone: "TM-T88V" is of epson-tm-t88."""
    from edgebox.config import FOLDER

    def bare(text: str) -> str:
        return "".join(letter for letter in text.lower() if letter.isalnum())

    wanted = bare(model)
    try:
        names = sorted(load_printers(FOLDER / "printers"))
    except ConfigError:
        return []
    tails = {name: bare(name.partition("-")[2]) for name in names if not name.startswith("generic")}
    return [name for name, tail in tails.items() if tail and (tail in wanted or (wanted and wanted in tail))]


def is_socket(path: Path) -> bool:
    """A Unix socket stands there."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
