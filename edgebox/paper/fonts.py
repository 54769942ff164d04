"""Letters as dots: one glyph in a printer's cell.

Owns: finding fonts on this machine and the cache of glyphs. Never: places letters (canvas.py and draw.py do).
A printer has its letters in ROM; the nearest here are DejaVu Sans Mono and WenQuanYi Micro Hei, which `make setup`
installs (debian-packages.txt). Without them Pillow's own font is used, missing scripts become boxes, and `missing`
says so.
"""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_DEJAVU = "/usr/share/fonts/truetype/dejavu/"
_LATIN = (_DEJAVU + "DejaVuSansMono.ttf", "/usr/share/fonts/TTF/DejaVuSansMono.ttf")
_LATIN_BOLD = (_DEJAVU + "DejaVuSansMono-Bold.ttf", "/usr/share/fonts/TTF/DejaVuSansMono-Bold.ttf")
_CJK = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_CACHE = 4096  # glyphs: a Chinese receipt has about 300
_INKED = 110  # of 255: how much of a dot must be covered to be burnt; chosen by eye for thin strokes
_MONO_ADVANCE = 0.602  # of the font size: DejaVu Sans Mono
_FONT_CONFIG_S = 5  # a first run may build fontconfig's cache


def _find(paths: tuple[str, ...], pattern: str) -> str | None:
    """The first that exists, or what fontconfig has for the pattern."""
    for path in paths:
        if Path(path).exists():
            return path
    try:
        ask = ["fc-match", "-f", "%{file}|%{lang}", pattern]
        found = subprocess.run(ask, capture_output=True, text=True, timeout=_FONT_CONFIG_S, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    path, _, languages = found.partition("|")
    wanted = pattern.rpartition("lang=")[2]
    return path if path and (not wanted or wanted in languages) else None


@lru_cache(maxsize=1)
def missing() -> tuple[str, ...]:
    """What can't be drawn on this machine, as sentences for a person."""
    gaps = []
    if _find(_LATIN, "monospace") is None:
        gaps.append("no monospace font: install fonts-dejavu-core")
    if _find(_CJK, ":lang=zh-cn") is None:
        gaps.append("no Chinese font: install fonts-wqy-microhei")
    return tuple(gaps)


@lru_cache(maxsize=64)
def _font(kind: str, size: int) -> _Font | None:
    paths, pattern = {
        "latin": (_LATIN, "monospace"),
        "bold": (_LATIN_BOLD, "monospace:bold"),
        "cjk": (_CJK, ":lang=zh-cn"),
    }[kind]
    path = _find(paths, pattern)
    if path is None:
        return None if kind == "cjk" else ImageFont.load_default(size)
    # Not raqm: a printer shapes nothing, and raqm_layout() fails on some mixtures of scripts.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=_CACHE)
def glyph(char: str, width: int, height: int, bold: bool, wide: bool) -> Image.Image:
    """`char` in a cell of `width` x `height` dots, mode L: 255 where it is inked."""
    cell = Image.new("L", (width, height), 0)
    if char.isspace():
        return cell
    if wide:
        drawn = _fits(cell, char, _font("cjk", min(width, height)), bold=bold)
    else:
        size = max(int(width / _MONO_ADVANCE), 6)
        drawn = _fits(cell, char, _font("bold" if bold else "latin", size), bold=False)
        if not drawn:
            drawn = _fits(cell, char, _font("cjk", min(width * 2, height)), bold=bold)
    if not drawn:
        ImageDraw.Draw(cell).rectangle((1, 3, width - 2, height - 3), outline=255)
    return cell.point(lambda value: 255 if value > _INKED else 0)


def _fits(cell: Image.Image, char: str, font: _Font | None, *, bold: bool) -> bool:
    """Draws `char` into the cell on the baseline, in the middle. False where the font hasn't got it."""
    if font is None or not isinstance(font, ImageFont.FreeTypeFont):
        if font is not None:
            ImageDraw.Draw(cell).text((0, 0), char, 255, font=font)
        return font is not None
    if bytes(font.getmask(char)) == _nothing(font) and char != "\ufffd":
        return False
    ascent, descent = font.getmetrics()
    baseline = round(cell.height * ascent / (ascent + descent))
    left = (cell.width - font.getlength(char)) / 2
    ImageDraw.Draw(cell).text((left, baseline), char, 255, font=font, anchor="ls", stroke_width=0)
    if bold:  # printers burn each dot once more, one dot to the right
        cell.paste(255, (1, 0), cell.crop((0, 0, cell.width - 1, cell.height)))
    return True


@lru_cache(maxsize=64)
def _nothing(font: ImageFont.FreeTypeFont) -> bytes:
    """How this font shows a character that it hasn't got (U+FFFF is none)."""
    return bytes(font.getmask("\uffff"))


@lru_cache(maxsize=8)
def note_font(size: int) -> _Font:
    """For notes in the margin, which may be in any script."""
    font = _font("cjk", size) or _font("latin", size)
    assert font is not None  # Pillow brings one
    return font
