"""Puts answers onto the machine: configuration, secrets, the socket's port, the till's network, services.

Owns: which files, whose they are, and that each is whole or not there. Never: asks. Everything under `root`, so that an
image for many boxes can be made, and a test can look. What was there before is kept beside it (`.before`).

What the answers name is read, and looked through, before anything is written; edgebox.toml comes last. A stick that
is pulled out, or a file that is none, leaves a box that runs as it ran.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.base import parse_url
from edgebox.appliance import claim, till_network
from edgebox.appliance.answers import LINE, OWN, Answers, text
from edgebox.errors import ConfigError
from edgebox.keys import load_keys
from edgebox.private_file import write_private

USER = "edgebox"
REFUSED = till_network.REFUSED
UNITS = ("edgebox.target", "edgebox.service", f"edgebox-line@{LINE}.service")
GADGET = "edgebox-gadget.service"
SOCKET = f"edgebox-line@{LINE}.socket"
_SECRETS = ("client.key", "password")

Run = Callable[[list[str]], bool]


def install(answers: Answers, run: Run, root: Path = Path("/")) -> list[str]:
    """What was done, in words. ConfigError `bad_answers`: a file that the answers name can't be read or used; then
    nothing has changed. `not_root`: not with these rights."""
    try:
        return _install(answers, run, root)
    except PermissionError as fault:
        raise ConfigError(f"{fault.filename}: {fault.strerror}", reason="not_root", hint="with sudo") from fault


def _install(answers: Answers, run: Run, root: Path) -> list[str]:
    etc, cloud = root / "etc/edgebox", answers.cloud
    keys = given_keys(Path(cloud.keys)) if cloud is not None and cloud.keys else b""
    found = _credentials(Path(cloud.credentials)) if cloud is not None and cloud.credentials else {}
    etc.mkdir(mode=0o750, parents=True, exist_ok=True)
    done = []
    if cloud is not None and cloud.claim:
        done += claim.install(Path(cloud.claim), root / OWN.lstrip("/"))
    if keys:
        done.append(_put(etc / "keys.toml", keys, 0o600, root))
    if found:
        (etc / "credentials").mkdir(mode=0o700, exist_ok=True)
        _own(etc / "credentials", root)
    for name, raw in found.items():
        done.append(_put(etc / "credentials" / name, raw, 0o600 if name in _SECRETS else 0o644, root))
    done += _port(answers, root)

    def public(path: Path, content: bytes, mode: int, /) -> str:
        return _put(path, content, mode, root)

    before = till_network.there(root)
    done += till_network.install(answers.network, _printer_number(answers), root, public)
    done.append(_put(etc / "edgebox.toml", text(answers).encode(), 0o640, root))
    _own(etc, root)
    if root != Path("/"):
        return [*done, *_enabled_on_card(answers, run, root)]
    refused = till_network.apply(before, answers.network, run)
    return [*done, *refused, *_services(answers, run)]


def zone_of(root: Path) -> str:
    """The machine's own time zone, as Debian's installer asks for it; "" if it was left at UTC, where no shop is."""
    try:
        name = (root / "etc/timezone").read_text("ascii").strip()
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return ""
    return "" if name in ("", "UTC") or name.startswith("Etc/") else name


def _put(path: Path, content: bytes, mode: int, root: Path) -> str:
    """Whole, with its rights, before anybody can read it. Root owns it: secrets alone, the services' group the rest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.with_name(path.name + ".before")
    changed = path.exists() and path.read_bytes() != content
    if changed:
        shutil.copy2(path, before)
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    fd = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    _own(half, root)
    half.chmod(mode)
    half.replace(path)
    return f"{path} written" + (f"; what was there is in {before.name}" if changed else "")


def _printer_number(answers: Answers) -> str:
    """The network printer's address; "" for one on a cable."""
    url = parse_url(answers.printer)
    return url.host.rpartition(":")[0] if url.scheme == "tcp" else ""


def _own(path: Path, root: Path) -> None:
    """Root's, and of the services' group, which `mode` lets read it or not."""
    if os.geteuid() == 0 and (group := _group(root)) is not None:
        os.chown(path, 0, group)


def _group(root: Path) -> int | None:
    """The number that the services' group has under `root`: a card's own, not this computer's. None: the package, which
    makes the group, is not there yet; it gives the file to the group when it comes."""
    try:
        lines = (root / "etc/group").read_text("utf-8").splitlines()
    except OSError:
        return None
    fields = next((line.split(":") for line in lines if line.startswith(f"{USER}:")), [])
    return int(fields[2]) if len(fields) > 2 and fields[2].isdecimal() else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="bad_answers") from fault


def given_keys(path: Path) -> bytes:
    """A claim keys' file that the box could use, as it is. ConfigError `bad_answers`."""
    raw = _read(path)
    with tempfile.TemporaryDirectory() as folder:  # a stick's files are everybody's: rights are looked at on a copy
        copy = Path(folder, "keys.toml")
        write_private(copy, raw)
        try:
            load_keys(copy)
        except ConfigError as fault:
            words = str(fault.args[0]).replace(str(copy), str(path))
            raise ConfigError(words, reason="bad_answers", hint="[cloud] keys is a file of claim keys") from fault
    return raw


def _credentials(source: Path) -> dict[str, bytes]:
    """CA, certificate and key as [sync] credentials wants them; the engine reads copies (edgebox/given.py)."""
    files = [path for path in sorted(source.glob("*")) if path.name in ("ca.crt", "client.crt", *_SECRETS)]
    if not files:
        raise ConfigError(f"{source}: holds no ca.crt, client.crt, client.key or password", reason="bad_answers")
    return {path.name: _read(path) for path in files}


def _port(answers: Answers, root: Path) -> list[str]:
    """systemd holds the till's port, so that no till is refused while the line begins anew."""
    folder = root / f"etc/systemd/system/edgebox-line@{LINE}.socket.d"
    url = parse_url(answers.till)
    if url.scheme != "tcp":
        shutil.rmtree(folder, ignore_errors=True)
        return []
    host, _, port = url.host.rpartition(":")
    where = port if host in ("0.0.0.0", "[::]") else f"{host}:{port}"
    drop_in = f"# Written by edgebox setup.\n[Socket]\nListenStream=\nListenStream={where}\n"
    return [_put(folder / "port.conf", drop_in.encode(), 0o644, root)]


def _units(answers: Answers) -> tuple[list[str], list[str]]:
    """What this box runs, and what it may have run with other answers."""
    till = parse_url(answers.till).scheme
    wanted = {SOCKET: till == "tcp", GADGET: till == "gadget", till_network.UNIT: answers.network is not None}
    return [*UNITS, *(name for name, is_wanted in wanted.items() if is_wanted)], [
        name for name, is_wanted in wanted.items() if not is_wanted
    ]


def _enabled_on_card(answers: Answers, run: Run, root: Path) -> list[str]:
    """Services begin when the card does."""
    units, others = _units(answers)
    if not (root / "lib/systemd/system" / UNITS[0]).exists():
        return [f"edgebox is not installed in {root}: install the package there, and set up again"]
    there = ["systemctl", f"--root={root}"]
    for unit in others:
        run([*there, "disable", unit])
    failed = [unit for unit in units if not run([*there, "enable", unit])]
    return [f"{unit}: {REFUSED}" for unit in failed] or ["services begin with the card"]


def _services(answers: Answers, run: Run) -> list[str]:
    """Enabled and started; a line that runs with other ends begins anew."""
    units, others = _units(answers)
    run(["systemctl", "daemon-reload"])
    for unit in others:  # a line would wait for the gadget at every boot; a socket would hold a port that nobody serves
        run(["systemctl", "disable", "--now", unit])
    failed = [unit for unit in units if not run(["systemctl", "enable", unit])]
    if not run(["systemctl", "restart", *reversed(units)]):
        failed += [unit for unit in units if not run(["systemctl", "is-active", "--quiet", unit])]
    return [f"{unit}: {REFUSED}; journalctl -u {unit}" for unit in dict.fromkeys(failed)] or ["services started"]
