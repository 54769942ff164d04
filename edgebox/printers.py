"""Printer profiles: `config/printers/NAME.toml` → PrinterProfile.

Owns: the file's keys and what they may be; python-escpos' capability data as the ground behind a file that names one
of its printers (`capabilities = "TM-T88V"`). Never: imports python-escpos (218 ms, 17 MB, and it sets up logging): its
JSON is read as data. Standard library only, so that the line can load a profile too.

A file's own keys win over the capability data, these over the defaults of PrinterProfile. All faults of a file are
reported at once, each with file, line, key and what was expected.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgebox.errors import ConfigError
from edgebox.escpos.profile import PrinterProfile


class Key(NamedTuple):
    """What a key may hold."""

    type: type
    expected: str
    is_valid: Callable[[Any], bool] = lambda value: True


def _between(low: int, high: int, unit: str = "", kind: type = int) -> Key:
    return Key(kind, f"a number from {low} to {high}{unit}", lambda value: low <= value <= high)


def _one_of(*words: str) -> Key:
    return Key(str, "one of " + ", ".join(words), lambda value: value in words)


_YES_NO = Key(bool, "true or false")
_TEXT = Key(str, "text")
_HEX = Key(
    str, 'bytes in hex, e.g. "1B42 0301"', lambda value: re.fullmatch(r"([0-9A-Fa-f]{2}\s*)*", value) is not None
)

# Key -> what it may hold. The names are PrinterProfile's; the ranges are those of receipt printers (58-112 mm paper).
KEYS: Mapping[str, Key] = {
    "title": _TEXT,
    "capabilities": _TEXT,
    "dots": _between(100, 1200),
    "dpi": _between(72, 600),
    "columns": _between(16, 120),
    "columns_b": _between(16, 160),
    "char_height": _between(8, 64, " dots"),
    "line_spacing": _between(8, 128, " dots"),
    "motion_y": _between(72, 1440, " an inch"),
    "cutter": _YES_NO,
    "cut_feeds": _YES_NO,
    "head_to_cutter_mm": _between(0, 40, " mm", float),
    "tear_bar_mm": _between(0, 40, " mm", float),
    "qr_native": _YES_NO,
    "raster": _one_of("gs_v_0", "esc_star", "none"),
    "cjk": _one_of("none", "gb18030", "gbk", "big5", "shift_jis", "euc_kr"),
    "cjk_on": _YES_NO,
    "code_page": _between(0, 255),
    "code_pages": Key(dict, 'a table of ESC t number = "codec", e.g. 16 = "cp1252"'),
    "status": _YES_NO,
    "gs_h": _YES_NO,
    "buzzer": _HEX,
    "insert": _YES_NO,
    "dialect": _one_of("epson", "star", "bematech", "daruma"),
    "block_bytes": _between(64, 1 << 20),
}


def load_printers(folder: Path) -> dict[str, PrinterProfile]:
    """Every profile of `folder` by its name. ConfigError lists the faults of all files."""
    profiles, faults = {}, []
    for path in sorted(folder.glob("*.toml")):
        try:
            profiles[path.stem] = load_printer(path)
        except ConfigError as fault:
            faults.append(fault.args[0])
    if faults:
        raise ConfigError("\n".join(faults), reason="bad_printer")
    return profiles


def find_printer(name: str, folder: Path) -> PrinterProfile:
    """The profile `name` of `folder`. ConfigError `no_printer` names the ones that there are."""
    path = folder / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.toml"))) or "none"
        raise ConfigError(f"no printer {name!r} in {folder}", reason="no_printer", hint=f"there are: {known}")
    return load_printer(path)


def load_printer(path: Path) -> PrinterProfile:
    """The profile in one file, named as the file is. ConfigError `bad_printer` lists every fault."""
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise ConfigError(f"{path}: {fault}", reason="bad_printer") from fault
    faults = [f"{path}:{_line_of(key, text)}: {key}: {words}" for key, words in _faults(table)]
    if faults:
        raise ConfigError("\n".join(faults), reason="bad_printer")
    wanted = str(table.pop("capabilities", ""))
    fields: dict[str, Any] = {"name": path.stem, **(capabilities(wanted) if wanted else {})}
    fields |= {key: float(value) if KEYS[key].type is float else value for key, value in table.items()}
    if isinstance(fields.get("code_pages"), dict):
        fields["code_pages"] = tuple(sorted((int(page), codec) for page, codec in fields["code_pages"].items()))
    return PrinterProfile(**fields)


def capabilities(name: str) -> dict[str, Any]:
    """What python-escpos' data knows of printer `name`, as fields of PrinterProfile. Its "Unknown" is left out.

    Kept: width, resolution, columns, cutter, native QR, raster, code pages that have a single-byte codec. Its code page
    1 is called CP932 on Epsons, but that is a page of half-width katakana: two-byte codecs are left out.
    """
    data = _capability_data()
    found = data["profiles"][name]
    media, fonts, features = found.get("media", {}), found.get("fonts", {}), found.get("features", {})
    known = {
        "dots": media.get("width", {}).get("pixels"),
        "dpi": media.get("dpi"),
        "columns": fonts.get("0", {}).get("columns"),
        "columns_b": fonts.get("1", {}).get("columns"),
    }
    fields: dict[str, Any] = {key: value for key, value in known.items() if isinstance(value, int)}
    fields["cutter"] = bool(features.get("paperFullCut") or features.get("paperPartCut"))
    fields["qr_native"] = bool(features.get("qrCode"))
    has_columns = bool(features.get("bitImageColumn"))
    fields["raster"] = "gs_v_0" if features.get("bitImageRaster") else "esc_star" if has_columns else "none"
    codecs_of = {page: data["encodings"][page].get("python_encode") for page in set(found["codePages"].values())}
    pages = [(int(number), codecs_of[page]) for number, page in found["codePages"].items()]
    fields["code_pages"] = tuple(sorted((number, codec) for number, codec in pages if codec and _is_single_byte(codec)))
    return fields


def _faults(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    faults = []
    for key, value in table.items():
        rule = KEYS.get(key)
        if rule is None:
            faults.append((key, "no such key, expected one of " + ", ".join(KEYS)))
        elif not _has_type(value, rule.type) or not rule.is_valid(value):
            faults.append((key, f"{value!r}, expected {rule.expected}"))
        elif key == "code_pages":
            faults += _code_page_faults(value)
        elif key == "capabilities" and value not in _capability_data()["profiles"]:
            faults.append((key, f"{value!r}, expected one of " + ", ".join(_capability_data()["profiles"])))
    return faults


def _has_type(value: object, wanted: type) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, int | float) if wanted is float else isinstance(value, wanted)


def _code_page_faults(pages: Mapping[str, Any]) -> list[tuple[str, str]]:
    faults = []
    for page, codec in pages.items():
        if not page.isdecimal() or int(page) > 255:
            faults.append((page, "no ESC t number, expected 0 to 255"))
        if not isinstance(codec, str) or not _is_single_byte(codec):
            faults.append((page, f'{codec!r}, expected the Python name of a one-byte code page, e.g. "cp437"'))
    return faults


def _is_single_byte(codec: str) -> bool:
    try:
        codecs.lookup(codec)
        return all(len(bytes((byte,)).decode(codec, "replace")) == 1 for byte in range(128, 256)) and (
            len("é世".encode(codec, "replace")) == 2
        )
    except LookupError:
        return False


def _line_of(key: str, text: str) -> int:
    """The line that sets `key`, or 1: tomllib doesn't say."""
    pattern = re.compile(rf'^\s*\[?"?{re.escape(key)}"?\s*[=\]]')
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


_data: dict[str, Any] = {}  # python-escpos' capability data, once read


def _capability_data() -> dict[str, Any]:
    if not _data:
        import json
        from importlib.util import find_spec

        spec = find_spec("escpos")  # finds the package without running it
        folders = list(spec.submodule_search_locations or ()) if spec else []
        if not folders:
            raise ConfigError("python-escpos is not installed", reason="no_capabilities", hint="run make setup")
        _data.update(json.loads(Path(folders[0], "capabilities.json").read_text("utf-8")))
    return _data
