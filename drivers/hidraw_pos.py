"""HID's Bar Code Scanner page (0x8C): what a scanner's report descriptor says of its reports, and codes out of them.

Owns: the descriptor's items, where each field of a report lies, and codes put together from several reports. Never: a
device (hidraw.py). Makers order and size the fields differently, so nothing is assumed but what the descriptor says.
[HID 1.11, section 6.2.2; HID Usage Tables 1.5, section 23 (0x8C); HID Point of Sale Usage Tables 1.02]

A code is whole with the first report that doesn't say "continued"; so it has no suffix and may hold any byte.
"""

from __future__ import annotations

from typing import NamedTuple

from drivers.base import WholeCode

_POS, _DESKTOP = 0x8C0000, 0x010000
_SYMBOLOGY = (_POS | 0xFB, _POS | 0xFC, _POS | 0xFD)
_DATA = _POS | 0xFE
_CONTINUED = _POS | 0xFF
_BYTE_COUNT = _DESKTOP | 0x3B

CODE_MAX = 8192  # a QR code holds 7089 digits (ISO/IEC 18004, version 40-L)
_DESCRIPTOR_MAX_BITS = 1 << 20  # no report is longer; a nonsense descriptor says 4 billion
_STACK_MAX = 16


class Field(NamedTuple):
    """Bits of a report, behind its id: `usage` (page << 16 | id), `parts` of `size`."""

    usage: int
    at: int
    size: int
    parts: int


class _Globals(NamedTuple):
    page: int = 0
    size: int = 0
    parts: int = 0
    report: int = 0


def fields_of(descriptor: bytes) -> dict[int, list[Field]]:
    """Report id (0: reports have none) → the input fields that matter here. Nonsense gives none."""
    state, stack, usages = _Globals(), list[_Globals](), list[int]()
    at_bit: dict[int, int] = {}
    found: dict[int, list[Field]] = {}
    for kind, value, size in _items(descriptor):
        if kind == 0x04:
            state = state._replace(page=value)
        elif kind == 0x74:
            state = state._replace(size=value)
        elif kind == 0x94:
            state = state._replace(parts=value)
        elif kind == 0x84:
            state = state._replace(report=value)
        elif kind == 0xA4 and len(stack) < _STACK_MAX:
            stack.append(state)
        elif kind == 0xB4 and stack:
            state = stack.pop()
        elif kind == 0x08:
            usages.append(value if size == 4 else state.page << 16 | value)
        elif kind in (0x80, 0x90, 0xB0, 0xA0, 0xC0):  # Input, Output, Feature, Collection, End Collection
            if kind == 0x80:
                bits = state.size * state.parts
                start = at_bit.get(state.report, 0)
                if start + bits > _DESCRIPTOR_MAX_BITS:
                    return {}
                found.setdefault(state.report, []).extend(_spread(state, usages, start))
                at_bit[state.report] = start + bits
            usages.clear()
    return {report: fields for report, fields in found.items() if any(field.usage == _DATA for field in fields)}


def _items(descriptor: bytes) -> list[tuple[int, int, int]]:
    """(tag and type, value, size) of each short item; long ones are stepped over."""
    items, at = [], 0
    while at < len(descriptor):
        head = descriptor[at]
        if head == 0xFE:
            at += 3 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
            continue
        size = (0, 1, 2, 4)[head & 3]
        value = int.from_bytes(descriptor[at + 1 : at + 1 + size], "little")
        items.append((head & 0xFC, value, size))
        at += 1 + size
    return items


def _spread(state: _Globals, usages: list[int], start: int) -> list[Field]:
    """One usage for the whole field, or one for each of its parts; the last stands for those that are left."""
    if len(usages) <= 1:
        return [Field(usage, start, state.size, state.parts) for usage in usages]
    return [Field(usage, start + at * state.size, state.size, 1) for at, usage in enumerate(usages[: state.parts])]


class Assembler:
    """Reports in, whole codes out."""

    def __init__(self, descriptor: bytes) -> None:
        self.given_up = 0  # codes longer than any symbology's
        self._fields = fields_of(descriptor)
        self._numbered = 0 not in self._fields
        self._data = b""
        self._symbology = ""
        self._overlong = False

    @property
    def reads_codes(self) -> bool:
        """False: this device is no scanner of that kind."""
        return bool(self._fields)

    def report(self, raw: bytes) -> list[WholeCode]:
        """The code that the report completes; none: it is another kind of report, or there is more to come."""
        fields = self._fields.get(raw[0] if self._numbered and raw else 0)
        if fields is None:
            return []
        bits = raw[1:] if self._numbered else raw
        values = {field.usage: _value(bits, field) for field in fields}
        data = values[_DATA]
        if _BYTE_COUNT in values:
            data = data[: int.from_bytes(values[_BYTE_COUNT], "little")]
        else:
            data = data.rstrip(b"\0")
        symbology = b"".join(values.get(usage, b"") for usage in _SYMBOLOGY)
        return self._part(data, symbology, bool(values.get(_CONTINUED, b"").strip(b"\0")))

    def _part(self, data: bytes, symbology: bytes, continued: bool) -> list[WholeCode]:
        self._symbology = self._symbology or _aim(symbology)
        self._data += data
        if len(self._data) > CODE_MAX:
            self._data, self._overlong = b"", True
        if continued:
            return []
        whole = WholeCode(self._data, self._symbology)
        overlong, self._overlong, self._data, self._symbology = self._overlong, False, b"", ""
        if overlong:
            self.given_up += 1
            return []
        return [whole] if whole.data else []


def _value(bits: bytes, field: Field) -> bytes:
    """The field's parts as bytes, each part rounded up to whole ones; missing bits are 0."""
    number = int.from_bytes(bits, "little") >> field.at
    if field.size == 8:
        return (number & (1 << 8 * field.parts) - 1).to_bytes(field.parts, "little")
    each = -(-field.size // 8)
    mask = (1 << field.size) - 1
    return b"".join((number >> n * field.size & mask).to_bytes(each, "little") for n in range(field.parts))


def _aim(raw: bytes) -> str:
    """`]Q1`, or nothing; some scanners leave the bracket out."""
    text = raw.rstrip(b"\0 ").decode("ascii", "replace")
    if len(text) == 2:
        text = "]" + text
    return text if len(text) == 3 and text[0] == "]" and text[1:].isalnum() else ""
