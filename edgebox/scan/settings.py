"""A scanner's settings: limits and times, with where each number comes from.

Owns: `ScannerSettings` and reading one `[[scanner]]` table of `edgebox.toml` with the standard library only (the
process must stay small). Never: validates the whole file; `edgebox config check` does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from edgebox.errors import ConfigError
from edgebox.scan.classify import ARMABLE, RULES_MAX, Rules, mode_of, rule_of
from edgebox.scan.codes import Kind

SUFFIXES = {"cr": b"\r", "lf": b"\n", "crlf": b"\r\n", "tab": b"\t", "none": b""}
LATE = ("forward", "refuse")
_CHOICES: dict[str, tuple[str, ...]] = {
    "suffix": tuple(SUFFIXES),
    "till_suffix": ("same", *SUFFIXES),
    "late": LATE,
    "always": ("", *ARMABLE),
}
KINDS = {  # the keys that list codes
    "claims": Kind.CLAIM,
    "comebacks": Kind.COMEBACK,
    "coupons": Kind.COUPON,
    "members": Kind.MEMBER,
    "pick_ups": Kind.PICK_UP,
    "mall": Kind.MALL,
    "invoice_titles": Kind.INVOICE_TITLE,
}
# Least and most; a scanner can't work outside.
_LIMITS = {"silence_ms": (5, 5000), "answer_ms": (1, 2000), "till_ms": (100, 60_000), "arm_s": (1, 600)}


class ScannerSettings(NamedTuple):
    """Times in the unit of their name."""

    name: str = "scanner1"
    scanner: str = ""
    till: str = ""
    engine: str = "/run/edgebox/scan.sock"  # empty: a plain wire
    line: str = ""  # the engine's: whose printer gives the slips
    suffix: str = "cr"  # what the scanner sends behind a code; Enter of a keyboard wedge is cr, its Tab key tab
    till_suffix: str = "same"  # what the till gets behind it
    strip_aim: bool = False  # take the AIM identifier (]Q1) off what the till gets
    silence_ms: int = 100  # ends a code without suffix; scanners leave up to 50 ms between keys over Bluetooth
    answer_ms: int = 150  # longest that a code of ours waits for the engine's word; a cashier notices about 200
    late: str = "forward"  # what becomes of it then: forward (to the till) or refuse
    till_ms: int = 3000  # a code waits so long for a till that is not there: typed later it would meet another sale
    arm_s: int = 15  # a mode key is good for so long: time to ask a customer for the code
    always: str = ""  # a scanner for one kind of code only: as if that mode were armed all the time
    modes: tuple[str, ...] = (
        "EDGEBOX+COUPON=coupon",
        "EDGEBOX+MEMBER=member",
        "EDGEBOX+PICKUP=pick_up",
        "EDGEBOX+MALL=mall",
    )
    claims: tuple[str, ...] = ()
    comebacks: tuple[str, ...] = ("CB:",)  # [slip] coupon_prefix
    coupons: tuple[str, ...] = ("SC:",)  # [desk] signed_prefix
    members: tuple[str, ...] = ()
    pick_ups: tuple[str, ...] = ()
    mall: tuple[str, ...] = ()
    # developers.weixin.qq.com, api_invoicescantitle: the code a customer shows for an invoice's title
    invoice_titles: tuple[str, ...] = ("https://mp.weixin.qq.com/intp/invoice/usertitlewxa?",)

    @property
    def rules(self) -> Rules:
        """What is ours. ConfigError names the first rule that can't be."""
        found = [rule_of(kind, text) for key, kind in KINDS.items() for text in getattr(self, key)]
        if len(found) + len(self.modes) > RULES_MAX:
            raise ConfigError(f"[[scanner]] {self.name}: more than {RULES_MAX} rules", reason="bad_rule")
        return Rules(found, dict(map(mode_of, self.modes)), Kind(self.always) if self.always else None)

    @property
    def types_keys(self) -> bool:
        """The till's end is a keyboard: printable characters and the suffix only."""
        return self.till.lower().startswith("hidkbd:")

    def with_value(self, key: str, value: str) -> ScannerSettings:
        """One key set from a command line's text; ConfigError when there is no such key or it doesn't fit."""
        default = self._field_defaults.get(key)
        found: object = value
        if isinstance(default, bool):
            found = {"true": True, "false": False}.get(value, value)
        elif isinstance(default, int):
            found = int(value) if value.isdecimal() else value
        elif isinstance(default, tuple):
            found = value.split(",") if value else []
        return self._replace(**_checked({key: found}, "--set"))


def from_toml(text: str, name: str, source: str) -> ScannerSettings:
    """The `[[scanner]]` called `name` (empty: the first). ConfigError names file, key and what was expected."""
    import tomllib  # costs 1 MB; a scanner started with flags alone never pays it

    try:
        tables = tomllib.loads(text).get("scanner", [])
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{source}: {fault}", reason="toml") from fault
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{source}: scanner: expected tables [[scanner]]", reason="bad_type")
    for table in tables:
        if not name or table.get("name") == name:
            return ScannerSettings()._replace(**_checked(table, source))
    raise ConfigError(f"{source}: no [[scanner]] called {name!r}", reason="no_scanner", hint="check --name")


def _checked(table: dict[str, object], source: str) -> dict[str, Any]:
    """The table's values in the settings' types."""
    values: dict[str, Any] = {}
    for key, given in table.items():
        default = ScannerSettings._field_defaults.get(key)
        if default is None:
            raise ConfigError(f"{source}: [[scanner]] has an unknown key {key!r}", reason="unknown_key")
        value: object = given
        if isinstance(default, tuple) and isinstance(given, list) and all(isinstance(item, str) for item in given):
            value = tuple(given)
        if type(value) is not type(default):
            expected = type(default).__name__
            raise ConfigError(f"{source}: [[scanner]] {key}: expected {expected}, got {given!r}", reason="bad_type")
        _limits(key, value, source)
        values[key] = value
    return values


def _limits(key: str, value: object, source: str) -> None:
    least, most = _LIMITS.get(key, (0, 0))
    if type(value) is int and not least <= value <= most:
        raise ConfigError(f"{source}: [[scanner]] {key}: expected {least} to {most}, got {value}", reason="bad_value")
    choices = _CHOICES.get(key, ())
    if choices and value not in choices:
        words = ", ".join(filter(None, choices))
        raise ConfigError(f"{source}: [[scanner]] {key}: expected one of {words}, got {value!r}", reason="bad_value")
