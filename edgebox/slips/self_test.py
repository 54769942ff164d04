"""The self-test slip: one QR code in each way a printer may have, each telling its own name.

Owns: its blocks. A person scans them: whichever the phone reads says what the printer's profile should be. So nothing
here trusts the profile, except how wide the paper is. A way that the printer lacks prints rubbish beside its letter:
that too is an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebox.escpos.blocks import Align, Block, Feed, Qr, Rule, Text
from edgebox.escpos.compose import Body, Press, compose
from edgebox.slips.strip import NEUTRAL

# What each code says → the profile's keys that follow from it.
CODES: Mapping[str, Mapping[str, Any]] = {
    "EDGEBOX-NATIVE": {"qr_native": True},
    "EDGEBOX-RASTER": {"qr_native": False, "raster": "gs_v_0"},
    "EDGEBOX-STRIPS": {"qr_native": False, "raster": "esc_star"},
}
_LETTERS = "ABC"
_WORDS = {
    "zh": ("自检: 请扫描下面的码, 看哪个能扫出", "扫出的文字即为打印机类型"),
    "en": ("Self-test: scan the codes below", "The words you read say which kind of printer this is"),
}


def self_test(press: Press, languages: tuple[str, ...] = ("zh",)) -> Body:
    """The slip. SlipError: the paper is too narrow, or nothing may be put into this printer's stream."""
    printer = press.printer
    parts = [compose(tuple(_head(languages, printer.title)), press)]
    for letter, (code, keys) in zip(_LETTERS, CODES.items(), strict=True):
        way = press._replace(printer=printer._replace(**keys), symbol_ok=True)
        blocks: tuple[Block, ...] = (
            Qr(code, caption=Text(f"{letter}: {code}", Align.CENTER)),
            Feed(1),
            Rule(),
        )
        parts.append(compose(blocks, way))
    return Body(
        NEUTRAL.join(part.raw for part in parts),
        sum(part.height_mm for part in parts),
        sum(part.wire_ms for part in parts),
        "native",
        min(part.module_dots for part in parts[1:]),
    )


def _head(languages: tuple[str, ...], title: str) -> list[Block]:
    said = [_WORDS.get(language, _WORDS["en"]) for language in languages] or [_WORDS["en"]]
    blocks: list[Block] = [
        Text(line, Align.CENTER, bold=number == 0, plain=plain)
        for lines in said
        for number, (line, plain) in enumerate(zip(lines, _WORDS["en"], strict=True))
    ]
    return [*blocks, Text(title, Align.CENTER), Feed(1)]
