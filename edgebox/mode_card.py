"""The card with the mode keys: each key's bar code and what it is for, to be stuck beside the till.

Owns: what is on it. Never: sends it. Code 128, since a laser scanner reads no QR code, and Code 39 would be too wide
for 58 mm paper.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgebox.errors import ConfigError
from edgebox.escpos.blocks import Align, Block, Feed, Rule, Text
from edgebox.escpos.compose import Press, compose
from edgebox.scan.codes import Kind

_WORDS = {
    Kind.COUPON: "优惠券 Coupon",
    Kind.COMEBACK: "下次消费券 Comeback coupon",
    Kind.MEMBER: "会员 Member",
    Kind.PICK_UP: "自提 Pick-up",
    Kind.MALL: "积分商城 Points mall",
    Kind.INVOICE_TITLE: "发票抬头 Invoice title",
}
_MODULE_DOTS = 2  # 0.25 mm, the least that GS w gives, and what every scanner reads
_HEIGHT_DOTS = 96  # 12 mm: aimed at in a hurry
_CENTER = b"\x1ba\x01"
_LEFT = b"\x1ba\x00"
_END = b"\x1bd\x05\x1dV\x00"  # past the cutter, cut


def card(modes: Mapping[str, Kind], press: Press) -> bytes:
    """The printer's bytes, from reset to cut. `modes`: as Rules.modes. ConfigError: a key too long; SlipError."""
    raw = b"\x1b@" + _text([Text("EDGEBOX", Align.CENTER, bold=True), Rule()], press)
    for code, kind in modes.items():
        raw += _text([Text(_WORDS[kind], Align.CENTER), Feed()], press) + _CENTER + _bars(code, press) + _LEFT
    return raw + _END


def _text(blocks: list[Block], press: Press) -> bytes:
    return compose(blocks, press).raw


def _bars(code: str, press: Press) -> bytes:
    """GS k 73, code set B, the text below it."""
    modules = 11 * (len(code) + 2) + 13  # start, characters, check; stop [ISO/IEC 15417]
    if modules * _MODULE_DOTS > press.printer.dots:
        raise ConfigError(f"{code}: too long for this paper", reason="too_wide", hint="a shorter mode key")
    data = b"{B" + code.encode("ascii").replace(b"{", b"{{")
    head = bytes((0x1D, 0x77, _MODULE_DOTS, 0x1D, 0x68, _HEIGHT_DOTS)) + b"\x1dH\x02"
    return head + b"\x1dkI" + bytes((len(data),)) + data + b"\n\n"
