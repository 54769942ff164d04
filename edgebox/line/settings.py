"""The line's settings: limits and times, with where each number comes from.

Owns: `LineSettings` and reading one `[[line]]` table of `edgebox.toml` with the standard library only (the line
must stay small). Never: validates the whole file; `edgebox config check` does, and the engine refuses a bad one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from edgebox.errors import ConfigError

PLACEMENTS = ("before_cut", "own_slip")
DATA = "/var/lib/edgebox"  # as [engine] data
_INNER = b'"overlay":'
OVERLAID = frozenset({"profile"})  # keys that the page or the fleet may lay over the file (edgebox/overlay.py)
FROM_RECEIPTS = ("end_signature", "header_preprint")  # keys that a receipt profile may hold as well
_LEAST = {  # below these a line can't work; 0 for all others
    "window_bytes": 64,  # the longest command that goes out in one piece
    "spool_documents": 2,  # the one that waits for its answer and the next
    "spool_bytes": 4096,
}


class LineSettings(NamedTuple):
    """Times in ms, sizes in bytes."""

    name: str = "line1"
    till: str = ""
    printer: str = ""
    profile: str = "generic-80"
    engine: str = ""
    answer_ms: int = 150  # longest the cut waits for the engine; a cashier notices about 200
    feed_hold_ms: int = 200  # longest that blank feed behind ink waits for a cut
    idle_ms: int = 0  # silence that ends a document without a cut; 0: 200 without a cutter, 5000 with one
    close_ms: int = 1000  # the same after the till hung up: a receipt may come in several connections
    hold_bytes: int = 1024  # longest held tail; real ones are under 100
    window_bytes: int = 4096  # read ahead while the printer is busy; a printer's own buffer is about this
    spool_documents: int = 64
    spool_bytes: int = 1 << 20
    placement: str = "before_cut"  # before_cut | own_slip (a slip of its own behind the cut)
    end_signature: bytes = b""  # the till's last bytes where no cut follows
    header_preprint: bytes = b""  # first text of the next receipt, where the till prints it before the cut
    job_quiet_ms: int = 1000  # silence before a job may print: copies of a receipt follow each other faster
    proof_of_print: bool = False  # ask the printer (GS ( H) whether the slip is on paper; profile must allow
    job_drawer: bool = False  # may a print job of the cloud kick the drawer?
    status_s: int = 0  # ask the printer's state every so often between documents; 0: never ask, only listen
    allow: tuple[str, ...] = ()  # clients of a TCP till end
    receipts: str = ""  # the till's receipt profile, for `end_signature` and `header_preprint` that are not set here
    relay: str = ""  # the pin of a bypass relay, CHIP:NUMBER; "": there is none

    def idle_after_ms(self, cutter: bool) -> int:
        """Silence that ends a document: quick where the customer tears, long where a cut is expected."""
        return self.idle_ms or (5000 if cutter else 200)

    def with_value(self, key: str, value: str) -> LineSettings:
        """One key set from a command line's text; ConfigError when there is no such key or it doesn't fit."""
        default = self._field_defaults.get(key)
        found: object = value
        if isinstance(default, bool):
            found = {"true": True, "false": False}.get(value, value)
        elif isinstance(default, int):
            found = int(value) if value.isdecimal() else value
        elif isinstance(default, tuple):
            found = value.split(",")
        return self._replace(**_checked({key: found}, "--set"))


def _bytes_of(key: str, text: str) -> bytes:
    """`end_signature` is hex; `header_preprint` is text as a Chinese till prints it (ASCII is the same)."""
    return bytes.fromhex(text) if key == "end_signature" else text.encode("gb18030")


def from_toml(text: str, name: str, source: str) -> LineSettings:
    """The `[[line]]` called `name` (empty: the first). Raises ConfigError naming file, key and what was expected."""
    import tomllib  # costs 1 MB; a line started with flags alone never pays it

    try:
        tables = tomllib.loads(text).get("line", [])
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{source}: {fault}", reason="toml") from fault
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{source}: line: expected tables [[line]]", reason="bad_type")
    for table in tables:
        if not name or table.get("name") == name:
            return _from_table(table, source)
    raise ConfigError(f"{source}: no [[line]] called {name!r}", reason="no_line", hint="check --name")


def with_receipts(settings: LineSettings, text: str, source: str) -> LineSettings:
    """What the till's receipt profile (its TOML) says for the line, where the line's own table says nothing.

    ConfigError names the file. The profile's other keys are the reader's, and not looked at.
    """
    import tomllib  # as above

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{source}: {fault}", reason="toml") from fault
    told = {key: table[key] for key in FROM_RECEIPTS if table.get(key) and not getattr(settings, key)}
    return settings._replace(**_checked(told, source))


def laid_over(settings: LineSettings, raw: bytes, source: str) -> LineSettings:
    """With what `overlay.json` says of this line, as `line.NAME.profile`. ConfigError: it can't be read, or is wrong.

    The file's check sum is over the bytes of its second value, as edgebox/overlay.py writes it; layers in its order.
    """
    import hashlib
    import json

    try:
        whole = json.loads(raw)
        inner = raw[raw.index(_INNER) + len(_INNER) : -1]
        if hashlib.sha256(inner).hexdigest() != whole["sha256"]:
            raise ConfigError(f"{source}: its check sum is wrong", reason="bad_overlay")
        layers = whole["overlay"].get("layers", {})
        merged = {key: value for name in ("page", "cloud", "box") for key, value in layers.get(name, {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise ConfigError(f"{source}: it can't be read", reason="bad_overlay") from fault
    own = {key: merged[f"line.{settings.name}.{key}"] for key in OVERLAID if f"line.{settings.name}.{key}" in merged}
    return settings._replace(**_checked(own, source))


def data_folder(text: str) -> str:
    """`[engine] data` of the configuration, where the overlay is."""
    import tomllib  # as above

    engine = tomllib.loads(text).get("engine", {})
    return str(engine.get("data", DATA)) if isinstance(engine, dict) else DATA


def _from_table(table: dict[str, object], source: str) -> LineSettings:
    return LineSettings()._replace(**_checked(table, source))


def _checked(table: dict[str, object], source: str) -> dict[str, Any]:
    """The table's values in the settings' types."""
    values: dict[str, Any] = {}
    for key, given in table.items():
        default = LineSettings._field_defaults.get(key)
        if default is None:
            raise ConfigError(f"{source}: [[line]] has an unknown key {key!r}", reason="unknown_key")
        value: object = given
        if isinstance(default, bytes) and isinstance(given, str):
            try:
                value = _bytes_of(key, given)
            except ValueError as fault:
                raise ConfigError(f"{source}: [[line]] {key}: {fault}", reason="bad_value") from fault
        elif isinstance(default, tuple) and isinstance(given, list):
            value = tuple(str(item) for item in given)
        if type(value) is not type(default):
            expected = "text" if isinstance(default, bytes) else type(default).__name__
            raise ConfigError(f"{source}: [[line]] {key}: expected {expected}, got {given!r}", reason="bad_type")
        _limits(key, value, source)
        values[key] = value
    return values


def _limits(key: str, value: object, source: str) -> None:
    if key == "receipts" and isinstance(value, str) and value and not value.replace("-", "").isalnum():
        raise ConfigError(f"{source}: [[line]] receipts: expected a name of a-z, 0-9 and -", reason="bad_value")
    least = _LEAST.get(key, 0)
    if type(value) is int and value < least:
        raise ConfigError(f"{source}: [[line]] {key}: expected {least} or more, got {value}", reason="bad_value")
    if key == "placement" and value not in PLACEMENTS:
        hint = " or ".join(PLACEMENTS)
        raise ConfigError(f"{source}: [[line]] placement: expected {hint}, got {value!r}", reason="bad_value")
