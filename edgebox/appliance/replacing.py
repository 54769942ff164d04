"""A new box takes a dead one's place: records, spent coupons, keys and USB identity, from a backup.

Owns: what is taken over, in which order, and what is said of the rest. Never: opens the desk; that stays closed until
the cloud has said what the dead box redeemed since, or a person answers for it (edgebox/desk/handover.py). Never the
dead box's TLS key: the new one asks for a certificate of its own.

The order makes a power cut harmless: secrets and identity first, which do nothing alone; the database last, with the
mark that closes the desk in it. Begun anew, each step finds done what was done.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from edgebox import own_secret, sealed
from edgebox.appliance import identity, recovery
from edgebox.errors import ConfigError
from edgebox.private_file import as_owner, write_private
from edgebox.store.backup import along, read_manifest, restore
from edgebox.store.database import FILE
from edgebox.store.sidecar import belong

AskCode = Callable[[], str]


def take_over(backup: Path, root: Path, code: AskCode | None, box: str = "") -> list[str]:
    """What was done, in words. `code`: asks for the recovery code; None: without keys. `box`: the name that this box is
    to have, "" for none. ConfigError, StoreError: then nothing of the records has changed."""
    if not backup.is_file():
        raise ConfigError(f"{backup}: no such backup", reason="bad_answers", hint="edgebox backup F makes one")
    data = root / "var/lib/edgebox"
    inside, whose = along(backup), read_manifest(backup).box
    if whose and box and whose != box:
        hint = "another stick, or other answers"
        raise ConfigError(f"{backup}: of {whose}, and this box is to be {box}", reason="bad_answers", hint=hint)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = [*_keys(inside, data, root, code), *_identity(inside, backup, data)]
    done.append(restore(data, backup, int(time.time() * 1000)))
    done.append(
        "the desk is closed until the cloud has said what was redeemed since, or a manager opens it (page: desk)"
    )
    _give(data)
    return done


def open_desk(root: Path, who: str) -> list[str]:
    """A person answers for it, before the desk is there: written down, and said again when it opens."""
    from edgebox.store import redemptions

    with closing(sqlite3.connect(root / "var/lib/edgebox" / FILE, isolation_level=None)) as database:
        if redemptions.unknown(database) is None:
            return []
        redemptions.put_unknown(database, who)
    return ["the desk opens at once: coupons that the dead box took since the backup may be taken a second time"]


def _keys(inside: dict[str, bytes], data: Path, root: Path, code: AskCode | None) -> list[str]:
    sealed_ones = inside.get(recovery.NAME)
    if sealed_ones is None:
        return ["no keys are in this backup: comeback coupons of the dead box are not known to this one"]
    if code is None:
        return ["the keys stay in the backup: comeback coupons of the dead box are not known to this one"]
    found = recovery.opened(sealed_ones, code())
    places = {
        own_secret.FILE: data / own_secret.FILE,
        sealed.FILE: data / sealed.FILE,
        recovery.KEYS: root / "etc/edgebox" / recovery.KEYS,
    }
    try:
        (root / "etc/edgebox").mkdir(mode=0o750, parents=True, exist_ok=True)
        for name, raw in found.items():
            place = places[name]
            with as_owner(place.parent):
                if place.is_file() and place.read_bytes() != raw:  # what this box has signed is good by that one alone
                    write_private(place.with_name(f"{name}.before"), place.read_bytes())
                write_private(place, raw)
    except OSError as fault:
        raise ConfigError(f"{fault.filename}: {fault.strerror}", reason="io") from fault
    return [f"keys taken over: {', '.join(found)}"]


def _identity(inside: dict[str, bytes], backup: Path, data: Path) -> list[str]:
    """From the backup, or as a file beside it. The dead box's goes before one that this box has made for itself: tills
    know that one."""
    raw = inside.get(identity.FILE)
    if raw is None and backup.with_name(identity.FILE).is_file():
        raw = backup.with_name(identity.FILE).read_bytes()
    if raw is None:
        return []
    with as_owner(data):
        identity.take_over(data, raw)
    return ["the till goes on knowing the box: its USB identity is the dead one's"]


def _give(data: Path) -> None:
    """Root has written into the services' folder: it is theirs [systemd/tmpfiles.conf]."""
    for path in data.iterdir():
        belong(path)
