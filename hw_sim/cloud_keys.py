"""The simulated cloud's key tool: makes a store's master, and from it a box's key file.

Owns: the cloud's side of claims' keys. The master stays in the cloud's own folder (mode 0600, folder 0700); a box gets
its store's id key and its own keys for the epochs ahead, nothing else. Real clouds do the same with an HSM or a vault.

    python -m hw_sim.cloud_keys --cloud var/cloud --store 4711 --device 12 -o var/keys.toml
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from edgebox.errors import ConfigError
from edgebox.keys import FILE_VERSION
from edgebox.loyalty import derivation
from edgebox.loyalty.claims import PREFIX, PREFIX_MAX
from edgebox.loyalty.keyring import DEVICE_MAX, STORE_MAX, EpochKey, Keyring

EPOCH_S = 7 * 86400  # a week: a stolen box's signatures end within one, and one byte of epoch lasts five years
DAYS_AHEAD = 35  # of keys; the design asks for 30 days without network at least
MASTER_BYTES = 32
DEFAULT_PREFIX = "HTTPS://M.EXAMPLE.CN/C/"


def master(cloud: Path, store: int) -> bytes:
    """The store's master, made at first use."""
    cloud.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = cloud / f"store-{store}.master"
    if not path.exists():
        write_private(path, secrets.token_bytes(MASTER_BYTES).hex() + "\n")
    return bytes.fromhex(path.read_text("ascii"))


def keyring(
    store_master: bytes, store: int, device: int, now: int, *, prefix: str = DEFAULT_PREFIX, days: int = DAYS_AHEAD
) -> Keyring:
    """What the cloud gives a box: the epoch of `now` (seconds since 1970), and those that cover `days` more."""
    first, last = now // EPOCH_S, (now + days * 86400) // EPOCH_S
    epochs = tuple(
        EpochKey(index, index * EPOCH_S, derivation.epoch_key(store_master, store, device, index))
        for index in range(first, last + 1)
    )
    return Keyring(store, device, prefix, derivation.id_key(store_master, store), epochs, (last + 1) * EPOCH_S)


def key_file(keys: Keyring) -> str:
    """The text of the box's key file (edgebox/keys.py)."""
    lines = [
        "# Keys of one box. Secret: mode 0600, never in a backup that others read.",
        f"version = {FILE_VERSION}",
        f"store = {keys.store}",
        f"device = {keys.device}",
        f'prefix = "{keys.prefix}"',
        f'id_key = "{keys.id_key.hex()}"',
        f"until = {_time(keys.until)}",
    ]
    for epoch in keys.epochs:
        lines += [
            "",
            "[[epoch]]",
            f"index = {epoch.index}",
            f"valid_from = {_time(epoch.valid_from)}",
            f'key = "{epoch.key.hex()}"',
        ]
    return "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write `text` so that nobody else can read it at any moment, and readers see the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


def provision(
    cloud: Path,
    out: Path,
    *,
    store: int,
    device: int,
    now: int,
    prefix: str = DEFAULT_PREFIX,
    days: int = DAYS_AHEAD,
) -> Keyring:
    """Make the store's master if need be and write the box's key file. ConfigError `bad_prefix`, `bad_number`."""
    if len(prefix) > PREFIX_MAX or not PREFIX.fullmatch(prefix):
        raise ConfigError(f"{prefix!r} can't stand before a token", reason="bad_prefix", hint=f"e.g. {DEFAULT_PREFIX}")
    if not 0 <= store <= STORE_MAX or not 0 <= device <= DEVICE_MAX:
        raise ConfigError(f"store to {STORE_MAX}, device to {DEVICE_MAX}", reason="bad_number")
    keys = keyring(master(cloud, store), store, device, now, prefix=prefix, days=days)
    write_private(out, key_file(keys))
    return keys


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m hw_sim.cloud_keys", description="Make keys for a box.")
    parser.add_argument("--cloud", type=Path, required=True, help="the simulated cloud's folder, holds the masters")
    parser.add_argument("--store", type=int, required=True)
    parser.add_argument("--device", type=int, required=True)
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help=f"of the QR's URL, default {DEFAULT_PREFIX}")
    parser.add_argument("--days", type=int, default=DAYS_AHEAD, help=f"of keys ahead, default {DAYS_AHEAD}")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the box's key file")
    options = parser.parse_args(arguments)
    try:
        keys = provision(
            options.cloud,
            options.out,
            store=options.store,
            device=options.device,
            now=int(time.time()),
            prefix=options.prefix,
            days=options.days,
        )
    except (ConfigError, OSError) as fault:
        print(fault, file=sys.stderr)
        return 2
    print(f"{options.out}: keys of store {keys.store}, device {keys.device}, until {_time(keys.until)}")
    return 0


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
