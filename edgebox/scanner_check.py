"""Codes that the coupon desk would never see, or take for another kind; scanners that find no engine.

Owns: those warnings of `edgebox config check`. Never: a fault: a shop may well want its codes to go to the till.
"""

from __future__ import annotations

from pathlib import Path

from edgebox.errors import EdgeboxError
from edgebox.scan.classify import SIGNED_CHARS, Prefix, Rules, mode_of, rule_of
from edgebox.scan.codes import Kind
from edgebox.scan.settings import KINDS
from edgebox.scan.settings import ScannerSettings as Own
from edgebox.settings import Config, ScannerSettings

_SIGNED_EXAMPLE = "A" * 160  # a signed coupon's usual length (edgebox/desk/signed.py)


def unseen(config: Config) -> list[str]:
    """One line for each; scanners without ends are not used."""
    rows = [row for row in config.scanner if row.scanner or row.till]
    found = [one for row in rows for one in _of(row, config)]
    lines = {line.name for line in config.line}
    if rows and config.desk.line and config.desk.line not in lines:
        found.append(f"[desk] line {config.desk.line!r} is no [[line]]: no slip is printed")
    return found


def _of(row: ScannerSettings, config: Config) -> list[str]:
    from msgspec.structs import asdict

    try:
        rules = Own(**asdict(row)).rules
    except EdgeboxError:
        return []  # a fault, which is named elsewhere
    where = f"scanner {row.name}"
    found = []
    if row.engine and row.engine != config.engine.scan_socket:
        found.append(f"{where}: engine is not [engine] scan_socket {config.engine.scan_socket!r}: all goes to the till")
    if not row.engine:
        return found
    for prefix, chars, key, wanted in _prefixes(row, config):
        if not rules.read(prefix + chars).is_ours:
            found.append(f"{where}: {key} lacks {prefix!r} ({wanted}): such codes go to the till")
    found += [f"{where}: {words}" for words in _shadowed(row, rules)]
    if row.line and row.line not in {line.name for line in config.line}:
        found.append(f"{where}: line {row.line!r} is no [[line]]: no slip is printed")
    return found


def _shadowed(row: ScannerSettings, rules: Rules) -> list[str]:
    """Rules whose codes another one takes, and mode keys that stand for two kinds."""
    keys = {kind: key for key, kind in KINDS.items()}
    found = []
    for key, kind in KINDS.items():
        for text in getattr(row, key):
            rule = rule_of(kind, text)
            example = rule.text + "A" * SIGNED_CHARS.get(kind, 1) if isinstance(rule, Prefix) else rule.low
            taken = rules.read(example).kind
            if taken is not kind and taken in keys:
                found.append(f"{key} {text!r}: {keys[taken]} takes such codes first")
    modes = [mode_of(text)[0] for text in row.modes]
    twice = sorted({code for code in modes if modes.count(code) > 1})
    return found + [f"modes {code!r} stands twice: the last one holds" for code in twice]


def _prefixes(row: ScannerSettings, config: Config) -> list[tuple[str, str, str, str]]:
    """(prefix, what may stand behind it, the scanner's key, whose prefix) of each code that this box's desk takes."""
    found = []
    if "comeback" in config.slip.show:
        chars = "A" * SIGNED_CHARS[Kind.COMEBACK]
        found.append((config.slip.coupon_prefix, chars, "comebacks", "[slip] coupon_prefix"))
    if config.desk.coupon_keys and config.desk.signed_prefix:
        found.append((config.desk.signed_prefix, _SIGNED_EXAMPLE, "coupons", "[desk] signed_prefix"))
    prefix = _claims_prefix(Path(config.claims.keys)) if row.claims else ""  # none: customers scan them, not the shop
    if prefix:
        found.append((prefix, "A" * SIGNED_CHARS[Kind.CLAIM], "claims", f"prefix of {config.claims.keys}"))
    return found


def _claims_prefix(path: Path) -> str:
    """Of the receipts' codes; "": no keys yet, or none that can be read (said elsewhere)."""
    from edgebox.keys import load_keys

    try:
        return load_keys(path).prefix
    except (EdgeboxError, OSError):
        return ""
