"""Where an operator's fleet is, and with which key he signs: flags, then the environment, then `fleet.toml`.

Owns: names, defaults and places of the operator's settings. Never: secrets in flags or the environment; those lie in
files of their own: the key, and a folder of credentials as a box has it.

    ~/.config/edgebox/fleet.toml        url, tenant, topics, user, credentials, key, by, client
    ~/.config/edgebox/keys/NAME.key     keys that `edgebox fleet keys new` made
    ~/.local/state/edgebox/fleet/       boxes heard before, rollouts, bundles that were sent
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgebox.errors import SyncError
from edgebox.settings import SyncSettings
from sync.fleet_keys import OperatorKey, keys_in, load_key
from sync.fleet_link import Broker

PREFIX = "EDGEBOX_FLEET_"
_TOPICS = next(field.default for field in msgspec.structs.fields(SyncSettings) if field.name == "topics")


class FleetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One merchant's fleet, as one operator sees it. `key`: a file, or the name of one in the keys folder."""

    url: str = ""
    tenant: str = ""
    topics: str = _TOPICS
    user: str = ""
    credentials: str = ""
    key: str = ""
    by: Annotated[str, Meta(max_length=40)] = ""
    client: Annotated[str, Meta(max_length=128)] = ""

    def broker(self) -> Broker:
        """SyncError `fleet`: not known where."""
        if not self.url:
            raise SyncError(
                "no broker", reason="fleet", hint=f"--url, {PREFIX}URL, or url in {config_folder()}/fleet.toml"
            )
        folder = Path(self.credentials).expanduser() if self.credentials else config_folder() / "credentials"
        return Broker(self.url, self.tenant, self.topics, self.user, folder, self.client)

    def signing_key(self) -> OperatorKey:
        """The key to sign with: the one named, or the only one there is. SyncError `key`."""
        if self.key:
            path = Path(self.key).expanduser()
            return load_key(path if path.exists() or "/" in self.key else keys_folder() / f"{self.key}.key")
        found = keys_in(keys_folder())
        if len(found) == 1:
            return load_key(found[0][0])
        words = ", ".join(path.stem for path, _ in found) or "there is none"
        raise SyncError(f"which key? {words}", reason="key", hint=f"--key, {PREFIX}KEY, or edgebox fleet keys new NAME")


def config_folder() -> Path:
    """As the XDG base directories have it."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "edgebox"


def keys_folder() -> Path:
    """Where keys are made and looked for."""
    return config_folder() / "keys"


def state_folder() -> Path:
    """What the tool keeps for itself."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edgebox" / "fleet"


def load(flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None = None) -> FleetSettings:
    """Flags that are given, then the environment, then the file. SyncError `fleet` names what is wrong and where."""
    path = file or config_folder() / "fleet.toml"
    table = _table(path, must_be=file is not None)
    names = [field.name for field in msgspec.structs.fields(FleetSettings)]
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            meant = f", did you mean {near[0]}?" if near else f", expected one of {', '.join(names)}"
            raise SyncError(f"{path}: {key}: no such setting{meant}", reason="fleet")
    said = {name: environment[PREFIX + name.upper()] for name in names if environment.get(PREFIX + name.upper())}
    given = {name: text for name, text in flags.items() if name in names and text}
    try:
        return msgspec.convert({**table, **said, **given}, FleetSettings)
    except msgspec.ValidationError as fault:
        raise SyncError(f"{path}: {fault}", reason="fleet") from fault


def _table(path: Path, *, must_be: bool) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as fault:
        if must_be:
            raise SyncError(f"{path}: no such file", reason="fleet") from fault
        return {}
    except OSError as fault:
        raise SyncError(f"{path}: {fault.strerror}", reason="fleet") from fault
    except ValueError as fault:  # not UTF-8, or not TOML
        raise SyncError(f"{path}: {fault}", reason="fleet") from fault
