"""Puts answers onto the machine: configuration, secrets, the socket's port, the till's network, services.

Owns: which files, whose they are, and that each is whole or not there. Never: asks. Everything under `root`, so that an
image for many boxes can be made, and a test can look. What was there before is kept beside it (`.before`).
"""

from __future__ import annotations

import grp
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from drivers.base import parse_url
from edgebox.appliance import claim, till_network
from edgebox.appliance.answers import LINE, OWN, Answers, text
from edgebox.errors import ConfigError

USER = "edgebox"
UNITS = ("edgebox.target", "edgebox.service", f"edgebox-line@{LINE}.service")
GADGET = "edgebox-gadget.service"
_SECRETS = ("client.key", "password")

Run = Callable[[list[str]], bool]


def install(answers: Answers, run: Run, root: Path = Path("/")) -> list[str]:
    """What was done, in words. ConfigError `bad_answers`: a file that the answers name can't be read."""
    etc = root / "etc/edgebox"
    etc.mkdir(mode=0o750, parents=True, exist_ok=True)
    done = [_put(etc / "edgebox.toml", text(answers).encode(), 0o640)]
    if answers.cloud is not None:
        if answers.cloud.keys:
            done.append(_put(etc / "keys.toml", _read(Path(answers.cloud.keys)), 0o600))
        if answers.cloud.claim:
            done += claim.install(Path(answers.cloud.claim), root / OWN.lstrip("/"))
        if answers.cloud.credentials:
            done += _credentials(Path(answers.cloud.credentials), etc / "credentials")
    done += _port(answers, root)
    done += till_network.install(answers.network, _printer_number(answers), root, _public)
    if root == Path("/"):
        done += _services(answers, run)
    return done


def _put(path: Path, content: bytes, mode: int) -> str:
    """Whole, with its rights, before anybody can read it. Root owns it: secrets alone, the services' group the rest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() != content:
        shutil.copy2(path, path.with_name(path.name + ".before"))
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    fd = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    _own(half)
    half.chmod(mode)
    half.replace(path)
    return f"{path} written"


def _public(path: Path, content: bytes, mode: int, /) -> str:
    """A file that everybody may read and root alone writes."""
    return _put(path, content, mode)


def _printer_number(answers: Answers) -> str:
    """The network printer's address; "" for one on a cable."""
    url = parse_url(answers.printer)
    return url.host.rpartition(":")[0] if url.scheme == "tcp" else ""


def _own(path: Path) -> None:
    """Root's, and of the services' group, which `mode` lets read it or not."""
    if os.geteuid():
        return
    try:
        group = grp.getgrnam(USER).gr_gid
    except KeyError:  # an image in the making: the package's own script makes the group
        return
    os.chown(path, 0, group)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="bad_answers") from fault


def _credentials(source: Path, target: Path) -> list[str]:
    """CA, certificate and key as [sync] credentials wants them; the engine reads copies (edgebox/given.py)."""
    files = [path for path in sorted(source.glob("*")) if path.name in ("ca.crt", "client.crt", *_SECRETS)]
    if not files:
        raise ConfigError(f"{source}: holds no ca.crt, client.crt, client.key or password", reason="bad_answers")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    _own(target)
    return [_put(target / path.name, _read(path), 0o600 if path.name in _SECRETS else 0o644) for path in files]


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
    return [_public(folder / "port.conf", drop_in.encode(), 0o644)]


def _services(answers: Answers, run: Run) -> list[str]:
    """Enabled and started; a line that runs with other ends begins anew."""
    units = [*UNITS]
    till = parse_url(answers.till).scheme
    if till == "tcp":
        units.append(f"edgebox-line@{LINE}.socket")
    if till == "gadget":
        units.append(GADGET)
    if answers.network is not None:
        units.append("edgebox-till-network.service")
    run(["systemctl", "daemon-reload"])
    if till != "gadget":  # a line would wait for it at every boot
        run(["systemctl", "disable", "--now", GADGET])
    failed = [unit for unit in units if not run(["systemctl", "enable", unit])]
    if not run(["systemctl", "restart", *reversed(units)]):
        failed += [unit for unit in units if not run(["systemctl", "is-active", "--quiet", unit])]
    return [f"{unit}: systemctl refused; journalctl -u {unit}" for unit in dict.fromkeys(failed)] or [
        "services started"
    ]
