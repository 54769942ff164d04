"""Keys and certificates from the fleet: sealed on their way, written where nobody else can read them.

Owns: `keys.add`, `keys.revoke`, `tls.set`. Never: lets a secret into the database, a log, a reply or an error's words;
writes /etc. Keys go into the box's key file (edgebox/keys.py says how it looks), certificates into a new folder, which
is on trial like any other setting: a box that can't reach its cloud with them goes back to the old ones.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from edgebox.errors import ConfigError, OrderError, SyncError
from edgebox.given import place_of
from edgebox.keys import FILE_VERSION, load_keys
from edgebox.loyalty.claims import PREFIX, PREFIX_MAX
from edgebox.loyalty.keyring import DEVICE_MAX, STORE_MAX, EpochKey, Keyring
from edgebox.orders.config import Settings
from edgebox.private_file import write_private
from edgebox.sealed import SealKey
from edgebox.settings import Config
from sync import credentials
from sync.contract import JobPhase
from sync.contract_commands import KeysResult, KeysRevokeArgs, SealedArgs
from sync.jobs import Doing
from sync.steps import Ended

DAYS_AHEAD = 30  # of keys at least after keys.add: so long a box without network must be able to sign [house plan §8]
EPOCHS_MAX = 520  # ten years of weekly ones
DAY_S = 86_400
PAST_S = 31 * DAY_S  # epochs that ended longer ago are of no use to a box: it signs, the cloud checks
Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[int, Meta(ge=0, le=1 << 40)]
_T = TypeVar("_T", bound=msgspec.Struct)
Pem = Annotated[str, Meta(max_length=64 << 10)]


class EpochGift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One epoch's key, as `keys.add` carries it sealed."""

    index: Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
    valid_from: Time
    key: Hex32


class KeysGift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `keys.add` carries sealed: the store's and the box's numbers, and epochs that add to those there are."""

    store: Annotated[int, Meta(ge=0, le=STORE_MAX)]
    device: Annotated[int, Meta(ge=0, le=DEVICE_MAX)]
    prefix: Annotated[str, Meta(pattern=rf"\A(?:{PREFIX.pattern})\Z", max_length=PREFIX_MAX)]
    id_key: Hex32
    epochs: Annotated[tuple[EpochGift, ...], Meta(min_length=1, max_length=EPOCHS_MAX)]
    until: Time


class TlsGift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `tls.set` carries sealed. Files that it doesn't name stay as they are."""

    ca: Pem = ""
    certificate: Pem = ""
    key: Pem = ""
    password: Annotated[str, Meta(max_length=1024, pattern=r"^[^\r\n\x00]*$")] = ""


_FILES = (
    ("ca", credentials.CA),
    ("certificate", credentials.CERTIFICATE),
    ("key", credentials.KEY),
    ("password", credentials.PASSWORD),
)


class KeyDesk(NamedTuple):
    """Where keys go. `use`: told the keys that are in force from now. `now`: seconds since 1970."""

    config: Config
    box: str
    seal: SealKey
    settings: Settings
    use: Callable[[Keyring], None]
    now: Callable[[], int]

    async def add(self, doing: Doing) -> Ended:
        """`keys.add`."""
        gift = self._opened(doing, KeysGift)
        keys = merged(self._current(), gift, self.now())
        days = keys.days_left(self.now())
        if days < DAYS_AHEAD:
            raise OrderError(f"keys for {days} days only, at least {DAYS_AHEAD}", reason="too_short")
        return await self._write(keys)

    async def revoke(self, doing: Doing) -> Ended:
        """`keys.revoke`."""
        args = doing.order.args
        assert isinstance(args, KeysRevokeArgs), "the table of commands says so"
        current = self._current()
        if current is None:
            raise OrderError("there are no keys", reason="no_keys")
        return await self._write(without(current, frozenset(args.epochs), self.now()))

    async def set_tls(self, doing: Doing) -> Ended | None:
        """`tls.set`."""
        gift = self._opened(doing, TlsGift)
        data = Path(self.config.engine.data)
        layers = self.settings.layers
        old = Path(str(layers.box.get("sync.credentials", self.config.sync.credentials)))
        new = data / f"credentials-{doing.order.digest[:12]}"
        try:
            await asyncio.to_thread(self._fill, new, old, gift)
        except (OSError, SyncError) as fault:
            await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)
            words = fault.strerror if isinstance(fault, OSError) else "the certificate, its key and the CA don't fit"
            raise OrderError(str(words), reason="credentials") from None
        box = {**layers.box, "sync.credentials": str(new)}
        is_same = await self.settings.change(msgspec.structs.replace(layers, box=box), doing.order.command.id)
        await asyncio.to_thread(_tidy, data, {new.name, old.name})
        return Ended(JobPhase.SUCCEEDED) if is_same else None

    # -- inside

    def _opened(self, doing: Doing, kind: type[_T]) -> _T:
        """The sealed argument. No word of it in any error."""
        args = doing.order.args
        assert isinstance(args, SealedArgs), "the table of commands says so"
        text = self.seal.open(args.sealed, doing.order.command.command, self.box)
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise OrderError("what was sealed is not of the right shape", reason="bad_sealed") from None

    def _fill(self, new: Path, old: Path, gift: TlsGift) -> None:
        new.mkdir(mode=0o700, parents=True, exist_ok=True)
        for field, name in _FILES:
            text = getattr(gift, field)
            given = text.encode("utf-8")
            before = place_of(old / name)
            if not given and before is not None and before.is_file():
                given = before.read_bytes()
            if given:
                write_private(new / name, given)
        uses_tls = self.config.sync.url.startswith(("mqtts", "wss"))
        found = credentials.load(new, tls=uses_tls or bool(gift.certificate or gift.ca))
        if found.expires and found.expires <= self.now() + DAY_S:
            raise SyncError("the certificate has expired", reason="credentials")

    def _path(self) -> Path:
        """The key file, or one in the data folder where that one isn't ours to write."""
        given = Path(self.config.claims.keys)
        is_anothers = any(given.resolve().is_relative_to(folder) for folder in ("/etc", "/run"))
        if not self.config.claims.keys or is_anothers:
            return Path(self.config.engine.data) / "keys.toml"
        return given

    def _current(self) -> Keyring | None:
        for path in (self._path(), Path(self.config.claims.keys)):
            place = place_of(path)
            if place is not None and place.is_file():
                try:
                    return load_keys(path)
                except ConfigError as fault:
                    words = f"the keys that are here can't be read: {fault.reason}"
                    raise OrderError(words, reason="key_file") from None
        return None

    async def _write(self, keys: Keyring) -> Ended:
        path = self._path()
        try:
            await asyncio.to_thread(write_private, path, key_text(keys).encode("ascii"))
        except OSError as fault:
            raise OrderError(f"{path}: {fault.strerror}", reason="io") from None
        if str(path) != self.config.claims.keys:
            layers = self.settings.layers
            if layers.box.get("claims.keys") != str(path):
                await self.settings.lay(msgspec.structs.replace(layers, box={**layers.box, "claims.keys": str(path)}))
        self.use(keys)
        indexes = tuple(epoch.index for epoch in keys.epochs)
        return Ended(JobPhase.SUCCEEDED, result=KeysResult(epochs=indexes, days_left=keys.days_left(self.now())))


def _tidy(data: Path, keep: set[str]) -> None:
    """Folders of certificates before the one before."""
    for folder in data.glob("credentials-*"):
        if folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def merged(current: Keyring | None, gift: KeysGift, now: int) -> Keyring:
    """The keys there are and the new ones, in order. OrderError `other_keys`, `epoch_conflict`, `epochs`."""
    id_key = bytes.fromhex(gift.id_key)
    given = {epoch.index: EpochKey(epoch.index, epoch.valid_from, bytes.fromhex(epoch.key)) for epoch in gift.epochs}
    if len(given) != len(gift.epochs):
        raise OrderError("an epoch comes twice", reason="epochs")
    epochs = dict(given)
    until = gift.until
    if current is not None:
        if (current.store, current.device, current.id_key) != (gift.store, gift.device, id_key):
            raise OrderError("the keys are another box's or another store's", reason="other_keys")
        begin = min(epoch.valid_from for epoch in gift.epochs)
        if begin > current.until > now:
            raise OrderError("there would be a time without keys", reason="epochs")
        for epoch in current.epochs if begin <= current.until else ():  # else they are all over
            if epochs.setdefault(epoch.index, epoch) != epoch:
                raise OrderError(f"epoch {epoch.index} has another key here", reason="epoch_conflict")
        until = max(until, current.until)
    ordered = [epochs[index] for index in sorted(epochs)]
    times = [epoch.valid_from for epoch in ordered] + [until]
    if times != sorted(set(times)):
        raise OrderError("epochs must follow each other in index and time, and `until` come last", reason="epochs")
    ends = times[1:]
    kept = tuple(epoch for epoch, end in zip(ordered, ends, strict=True) if end > now - PAST_S) or tuple(ordered[-1:])
    if len(kept) > EPOCHS_MAX:
        raise OrderError(f"more than {EPOCHS_MAX} epochs", reason="epochs")
    return Keyring(gift.store, gift.device, gift.prefix, id_key, kept, until)


def without(keys: Keyring, revoked: frozenset[int], now: int) -> Keyring:
    """The keys without these epochs. OrderError `no_such_epoch`, `no_keys_left`.

    A gap would be filled by the epoch before it, whose time is over. So with an epoch that has begun those before it
    go, too: until the next one begins, claims are signed with its key and say that their time isn't to be trusted.
    And with one of the future go all behind it: the keys end there.
    """
    unknown = revoked - {epoch.index for epoch in keys.epochs}
    if unknown:
        raise OrderError(f"there is no epoch {min(unknown)}", reason="no_such_epoch")
    begun = [epoch.index for epoch in keys.epochs if epoch.index in revoked and epoch.valid_from <= now]
    ahead = [epoch.index for epoch in keys.epochs if epoch.index in revoked and epoch.valid_from > now]
    first, last = max(begun, default=-1), min(ahead, default=1 << 32)
    left = tuple(epoch for epoch in keys.epochs if first < epoch.index < last)
    if not left:
        raise OrderError("no keys would be left: send new ones first", reason="no_keys_left")
    ends = {epoch.index: epoch.valid_from for epoch in keys.epochs}
    until = min(keys.until, ends[last]) if ahead else keys.until
    return Keyring(keys.store, keys.device, keys.prefix, keys.id_key, left, until)


def key_text(keys: Keyring) -> str:
    """The key file's text."""
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
        lines += ["", "[[epoch]]", f"index = {epoch.index}", f"valid_from = {_time(epoch.valid_from)}"]
        lines += [f'key = "{epoch.key.hex()}"']
    return "\n".join(lines) + "\n"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
