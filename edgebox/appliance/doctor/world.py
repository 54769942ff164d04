"""The doctor on what is outside: claim keys, the cloud, Bluetooth.

Owns: trying the way to the broker as the box would go it, and the dates of keys and certificates. Never: signs in.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgebox.appliance.doctor.finding import Finding, Grade, Machine, ok
from edgebox.errors import ConfigError, SyncError
from edgebox.keys import load_keys

if TYPE_CHECKING:
    from sync.address import Address

CONNECT_S = 5.0
APART = "receipts wait on the box, and nothing comes from the fleet"
KEY_DAYS = 7
CERTIFICATE_DAYS = 30
DAY_S = 86_400


def keys(machine: Machine) -> Iterator[Finding]:
    """The claim keys: there, private, and for how long."""
    why = "no points are printed"
    try:
        found = load_keys(machine.configured(machine.config.claims.keys))
    except ConfigError as fault:
        yield Finding(
            Grade.FAILED, "claim keys", str(fault.args[0]), why, fault.hint, key="keys_bad", value=str(fault.args[0])
        )
        return
    days = found.days_left(int(machine.now()))
    if days <= 0:
        yield Finding(
            Grade.FAILED,
            "claim keys",
            "they are used up",
            why,
            "the fleet sends new ones: edgebox fleet send keys.add; docs/keys.md",
            key="keys_over",
        )
    elif days < KEY_DAYS:
        mend = "the cloud sends new ones as soon as it hears of the box: see cloud"
        yield Finding(
            Grade.WARNING,
            "claim keys",
            f"they last {days} more days",
            f"then {why}",
            mend,
            key="keys_ending",
            value=str(days),
        )
    else:
        yield ok("claim keys", f"for {days} more days", "keys_ok", str(days))


def cloud(machine: Machine) -> Iterator[Finding]:
    """Name, connection, TLS, certificate: the first that fails is told, for the others follow from it."""
    from sync import address, credentials

    url = machine.config.sync.url
    if not url:
        yield ok("cloud", "none is configured: the box works alone", "cloud_none")
        return
    if url in machine.held:
        yield ok("cloud", "connected", "cloud_ok", url)
        return
    try:
        where = address.parse(url)
        proof = credentials.load(machine.configured(machine.config.sync.credentials), tls=where.tls)
    except SyncError as fault:
        yield Finding(
            Grade.FAILED, "cloud", str(fault.args[0]), APART, fault.hint, key="cloud_settings", value=str(fault.args[0])
        )
        return
    if machine.config.sync.renew_days and not proof.expires:
        yield _uncertified((machine.configured(machine.config.sync.credentials) / credentials.CLAIM.key).exists())
    yield from _certificate(proof.expires, int(machine.now()), Path(machine.config.sync.credentials))
    yield from _reached(where, proof.context)


def _reached(where: Address, tls: ssl.SSLContext | None) -> Iterator[Finding]:
    """As the box would go there, up to the handshake."""
    try:
        found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except socket.gaierror as fault:
        mend = "resolvectl status: is there a DNS server?"
        yield Finding(
            Grade.FAILED,
            "cloud, DNS",
            f"{where.host}: {fault.strerror}",
            APART,
            mend,
            key="cloud_no_name",
            value=where.host,
        )
        return
    place = str(found[0][4][0]), where.port
    try:
        with socket.create_connection(place, CONNECT_S) as link:
            if tls is None:
                yield ok("cloud", f"{where.host}:{where.port} answers", "cloud_ok", where.host)
                return
            with tls.wrap_socket(link, server_hostname=where.host):
                words = f"{where.host}:{where.port} answers, and its certificate is good"
                yield ok("cloud", words, "cloud_ok", where.host)
    except ssl.SSLCertVerificationError as fault:
        yield Finding(
            Grade.FAILED, "cloud, TLS", f"the broker's certificate is not believed: {fault.verify_message}", APART,
            "is the clock right? ca.crt in the credentials' folder must be the broker's",
            key="cloud_stranger", value=fault.verify_message,
        )  # fmt: skip
    except ssl.SSLError as fault:
        yield Finding(
            Grade.FAILED,
            "cloud, TLS",
            f"no TLS: {fault.reason}",
            APART,
            "does the broker know this box's certificate?",
            key="cloud_no_tls",
            value=fault.reason,
        )
    except OSError as fault:
        yield Finding(
            Grade.FAILED, "cloud", f"{where.host}:{where.port}: {fault.strerror or fault}", APART,
            f"is outgoing TCP port {where.port} open in the shop's router?",
            key="cloud_unreachable", value=f"{where.host}:{where.port}",
        )  # fmt: skip


def _uncertified(has_claim: bool) -> Finding:
    """The box is to look after its certificate itself, and has none."""
    if has_claim:
        return Finding(
            Grade.FAILED, "cloud, certificate", "the cloud has not given the box its own yet", APART,
            "journalctl -u edgebox says what the cloud answers to its claim; docs/keys.md, When the claim is refused",
            key="certificate_waits",
        )  # fmt: skip
    return Finding(
        Grade.FAILED, "cloud, certificate", "the box has neither its own nor a claim to ask with", APART,
        "edgebox setup --answers FILE, with a claim of the operator's", key="certificate_none",
    )  # fmt: skip


def _certificate(expires: int, now: int, folder: Path) -> Iterator[Finding]:
    if not expires:
        return
    days = (expires - now) // DAY_S
    if days < CERTIFICATE_DAYS:
        yield Finding(
            Grade.FAILED if days < 0 else Grade.WARNING, "cloud, certificate",
            "the box's own has run out" if days < 0 else f"the box's own lasts {days} more days",
            "without it the broker lets nobody in", f"`tls.set` from the fleet, or a new client.crt in {folder}",
            key="certificate_over" if days < 0 else "certificate_ending", value=str(days),
        )  # fmt: skip
    else:
        yield ok("cloud, certificate", f"for {days} more days", "certificate_ok", str(days))


def bluetooth(machine: Machine) -> Iterator[Finding]:
    """Only if the shop has beacons."""
    wanted = machine.config.beacons
    if not (wanted.send or wanted.scan):
        return
    why = "the shop is not announced, and nobody is noticed"
    adapters = sorted(machine.at("/sys/class/bluetooth").glob("hci*"))
    if not adapters:
        yield Finding(
            Grade.FAILED,
            "Bluetooth",
            "this machine has no adapter",
            why,
            "plug a USB one in; dmesg | grep -i bluetooth",
            key="radio_none",
        )
        return
    for switch in sorted(machine.at("/sys/class/rfkill").glob("rfkill*")):
        name = str(switch.relative_to(machine.root))
        if machine.text(f"{name}/type") == "bluetooth" and "1" in machine.text(f"{name}/soft") + machine.text(
            f"{name}/hard"
        ):
            yield Finding(
                Grade.FAILED,
                "Bluetooth",
                "it is switched off (rfkill)",
                why,
                "rfkill unblock bluetooth",
                key="radio_off",
            )
            return
    if not machine.at("/run/dbus/system_bus_socket").exists():
        yield Finding(
            Grade.FAILED,
            "Bluetooth",
            "there is no D-Bus",
            why,
            "apt install dbus; systemctl start dbus",
            key="radio_no_bus",
        )
        return
    told = machine.run(["systemctl", "is-active", "bluetooth.service"])
    if told is not None and told.strip() != "active":
        mend = "apt install bluez; systemctl enable --now bluetooth"
        yield Finding(
            Grade.FAILED, "Bluetooth", f"bluetoothd is {told.strip() or 'not there'}", why, mend, key="radio_down"
        )
        return
    yield ok("Bluetooth", f"{adapters[0].name} is there", "radio_ok")
