"""The broker of the stand-in: a real mosquitto on loopback, with a name, a password or certificate, and rights per box.

Owns: its folder (config, accounts, rights, log), its process and port. Never: a queue that anybody may rely on. With
`persistence` off, a kill -9 loses every message that it has acknowledged: that is the case to be survived.

What a stolen box may do is decided here first: it writes its own upward topics and reads its own downward ones, nothing
else. `deny` takes a box's right to publish away, and mosquitto then refuses with PUBACK 0x87 (not authorized).
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self

from hw_sim.cloud.certificates import Authority

PACKAGE = "mosquitto"  # Debian's
START_S = 10.0  # it takes 20 ms; a loaded machine more
STOP_S = 5.0
CLOUD_USER = "cloud"
UP = ("up/#", "state", "ask", "reply", "reported", "csr")
DOWN = ("ack", "cmd", "desired", "answer", "certificate")
# Messages that wait for one client: behind its 1000 by default mosquitto drops without a word.
QUEUED_MAX = 100_000
PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin:/bin"  # Debian installs it where users have no PATH


class BrokerMissingError(RuntimeError):
    """mosquitto is not installed, or doesn't start; the message says what to do."""


class Access(StrEnum):
    """How a client proves who it is."""

    ANYBODY = "anybody"
    PASSWORD = "password"
    CERTIFICATE = "certificate"


class Account(NamedTuple):
    """One client: its name, password, and what it may write and read (topic filters)."""

    user: str
    password: str
    writes: tuple[str, ...]
    reads: tuple[str, ...]


def find_mosquitto() -> Path | None:
    """The program, or None where the Debian package is not installed."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:{PLACES}")
    return Path(found) if found else None


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One mosquitto, running while the context is open. BrokerMissingError where it can't."""

    def __init__(
        self,
        folder: Path,
        *,
        access: Access = Access.PASSWORD,
        persistence: bool = True,
        port: int = 0,
        extra: Iterable[str] = (),
    ) -> None:
        self.folder = folder
        self.access = access
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._persistence = persistence
        self._extra = tuple(extra)  # lines for mosquitto.conf
        self._accounts: dict[str, Account] = {}
        self._denied: set[str] = set()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.authority = Authority(folder / "tls") if access is Access.CERTIFICATE else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """What goes into a box's [sync] url."""
        return f"{'mqtts' if self.authority else 'mqtt'}://{'localhost' if self.authority else '127.0.0.1'}:{self.port}"

    # -- who may do what

    def admit_cloud(self, everything: str) -> Account:
        """The cloud's own account; `everything`: the filter of all its topics."""
        return self._admit(Account(CLOUD_USER, secrets.token_urlsafe(18), (everything,), (everything,)))

    def admit_box(self, box: str, prefix: str) -> Account:
        """A box's account; `prefix`: what its topics begin with."""
        up = tuple(f"{prefix}/{topic}" for topic in UP)
        down = tuple(f"{prefix}/{topic}" for topic in DOWN)
        return self._admit(Account(box, secrets.token_urlsafe(18), up, down))

    def admit_claim(self, batch: str, boxes: str) -> None:
        """New boxes of a batch may ask for their certificate, and nothing else. `boxes`: the filter of all prefixes."""
        self._admit(Account(batch, secrets.token_urlsafe(18), (f"{boxes}/csr",), (f"{boxes}/certificate",)))

    def deny(self, box: str) -> None:
        """From now on this box's messages are refused: PUBACK 0x87."""
        self._denied.add(box)
        self._reload()

    def allow(self, box: str) -> None:
        """Takes `deny` back."""
        self._denied.discard(box)
        self._reload()

    def _admit(self, account: Account) -> Account:
        known = self._accounts.setdefault(account.user, account)
        self._reload()
        return known

    def _reload(self) -> None:
        self._write_accounts()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGHUP)  # mosquitto(8): reads passwords and rights anew

    # -- life

    def start(self) -> None:
        """Starts it on its port and waits until it listens."""
        program = find_mosquitto()
        if program is None:
            raise BrokerMissingError(f"mosquitto is not installed: sudo apt-get install {PACKAGE}")
        self._write_accounts()
        config = self.folder / "mosquitto.conf"
        config.write_text(self._config(), "utf-8")
        with (self.folder / "mosquitto.log").open("ab") as log:
            command = [str(program), "-c", str(config)]
            # A session of its own: Ctrl-C in a terminal is for whoever started it, who then ends it in order.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self.starts += 1
        self._wait()

    def stop(self) -> None:
        """Ends it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while True:
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > until:
                words = (self.folder / "mosquitto.log").read_text("utf-8", "replace")[-2000:]
                raise BrokerMissingError(f"mosquitto did not start:\n{words}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return
            except OSError:
                time.sleep(0.005)

    # -- its files

    def _config(self) -> str:
        lines = [
            f"listener {self.port} 127.0.0.1",
            # As root it would become `mosquitto`, which may not read this folder.
            f"user {pwd.getpwuid(os.geteuid()).pw_name}",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            f"max_queued_messages {QUEUED_MAX}",
            f"persistence {'true' if self._persistence else 'false'}",
        ]
        if self._persistence:
            lines += [f"persistence_location {self.folder}/", "autosave_interval 1"]
        if self.access is Access.ANYBODY:
            lines += ["allow_anonymous true"]
        else:
            lines += ["allow_anonymous false", f"acl_file {self.folder / 'rights'}"]
        if self.access is Access.PASSWORD:
            lines += [f"password_file {self.folder / 'accounts'}"]
        if self.authority is not None:
            server = self.authority.issue("localhost", server=True)
            lines += [
                f"cafile {self.authority.certificate}",
                f"certfile {server.certificate}",
                f"keyfile {server.key}",
                "require_certificate true",
                "use_identity_as_username true",
                "tls_version tlsv1.2",
            ]
        return "\n".join([*lines, *self._extra]) + "\n"

    def _write_accounts(self) -> None:
        rights = []
        for account in self._accounts.values():
            writes = () if account.user in self._denied else account.writes
            rights += [f"user {account.user}", *(f"topic write {topic}" for topic in writes)]
            rights += [f"topic read {topic}" for topic in account.reads]
        _replace(self.folder / "rights", "\n".join(rights) + "\n")
        if self.access is Access.PASSWORD and self._accounts:
            new = self.folder / "accounts.new"
            _replace(new, "".join(f"{one.user}:{one.password}\n" for one in self._accounts.values()))
            tool = shutil.which("mosquitto_passwd", path=f"{os.environ.get('PATH', '')}:{PLACES}")
            if tool is None:
                raise BrokerMissingError(f"mosquitto_passwd is not installed: sudo apt-get install {PACKAGE}")
            subprocess.run([tool, "-U", str(new)], check=True, stdin=subprocess.DEVNULL, capture_output=True)
            new.replace(self.folder / "accounts")
        elif self.access is Access.PASSWORD:
            _replace(self.folder / "accounts", "")


def _replace(path: Path, text: str) -> None:
    """For its owner only, and never half written."""
    new = path.with_name(path.name + ".part")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
