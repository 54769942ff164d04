"""Layouts both ways: what is typed is what is read; and the tables agree with xkb's, which others wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.keymaps import NAMES, USAGES, Layout, Stroke, compose

PRINTABLE = "".join(map(chr, range(32, 127)))
XKB = Path("/usr/share/X11/xkb/symbols")

# xkb's names of keys, as rows of AE (numbers), AD, AC, AB. [xkeyboard-config, keycodes/evdev]
KEYS = {
    **{f"AE{n:02}": code for n, code in enumerate(range(2, 14), 1)},
    **{f"AD{n:02}": code for n, code in enumerate(range(16, 28), 1)},
    **{f"AC{n:02}": code for n, code in enumerate(range(30, 41), 1)},
    **{f"AB{n:02}": code for n, code in enumerate(range(44, 54), 1)},
    "TLDE": 41, "BKSL": 43, "LSGT": 86, "AE13": 124, "AB11": 89,
}  # fmt: skip
# Which of xkb's variants is Windows' own layout, and the keys where systems differ for good (or xkb has no sign).
VARIANTS = {"us": ("us", "basic"), "uk": ("gb", "basic"), "de": ("de", "basic"), "fr": ("fr", "azerty"),
            "es": ("es", "basic"), "pt": ("pt", "basic"), "it": ("it", "basic"), "jp": ("jp", "106")}  # fmt: skip
SYMBOLS = {
    "exclam": "!", "quotedbl": '"', "numbersign": "#", "dollar": "$", "percent": "%", "ampersand": "&",
    "apostrophe": "'", "quoteright": "'", "parenleft": "(", "parenright": ")", "asterisk": "*", "plus": "+",
    "comma": ",", "minus": "-", "period": ".", "slash": "/", "colon": ":", "semicolon": ";", "less": "<",
    "equal": "=", "greater": ">", "question": "?", "at": "@", "bracketleft": "[", "backslash": "\\",
    "bracketright": "]", "asciicircum": "^", "underscore": "_", "grave": "`", "quoteleft": "`", "braceleft": "{",
    "bar": "|", "braceright": "}", "asciitilde": "~", "dead_circumflex": "^", "dead_grave": "`", "dead_tilde": "~",
    "dead_acute": "´", "dead_diaeresis": "¨", "yen": "\\",
}  # fmt: skip


KEY = re.compile(r"\s*key\s*<(\w+)>\s*{\s*(?:type.*?,\s*)?(?:symbols\[group1\]\s*=\s*)?\[([^\]]*)\]", re.IGNORECASE)
DIFFERENT = {("jp", "AE10", 1)}  # Shift and 0: xkb has ~ there, Windows nothing


@pytest.mark.parametrize("name", NAMES)
def test_every_ascii_character_can_be_typed_and_read_again(name: str) -> None:
    layout = Layout(name)
    for character in PRINTABLE:
        strokes = layout.strokes(character)
        if name == "it" and character in "`~":
            assert strokes == ()  # there are no such keys in Italy
            continue
        read, dead = "", ""
        for stroke in strokes:
            found = layout.character(stroke)
            if dead:
                read, dead = read + compose(dead, found), ""
            elif layout.is_dead(stroke):
                dead = found
            else:
                read += found
        assert read == character
        assert all(stroke.code in USAGES for stroke in strokes)


def test_no_two_keys_share_a_usage() -> None:
    assert len(set(USAGES.values())) == len(USAGES)


def xkb_rows(file: str, variant: str) -> dict[str, list[str]]:
    """Key → its symbols, by level, with what the variant includes."""
    text = (XKB / file).read_text("utf-8")
    found = re.search(rf'xkb_symbols\s+"{re.escape(variant)}"\s*{{(.*?)\n}};', text, re.DOTALL)
    assert found, f"{file}({variant})"
    rows: dict[str, list[str]] = {}
    for line in re.sub(r"=\s*\n\s*\[", "= [", found[1]).splitlines():
        if match := re.match(r'\s*include\s+"(\w+)(?:\((\w+)\))?"', line):
            if (XKB / match[1]).is_file() and match[1] not in ("level3", "kpdl", "level5", "nbsp", "eurosign"):
                rows.update(xkb_rows(match[1], match[2] or "basic"))
        elif match := re.match(
            r"\s*key\s*<(\w+)>\s*{\s*(?:type.*?,\s*)?(?:symbols\[Group1\]\s*=\s*)?\[([^\]]*)\]", line
        ):
            rows[match[1]] = [symbol.strip() for symbol in match[2].split(",")]
    return rows


@pytest.mark.skipif(not XKB.is_dir(), reason="no xkb here: apt install xkb-data")
@pytest.mark.parametrize("name", NAMES)
def test_letters_digits_and_signs_stand_where_xkb_has_them(name: str) -> None:
    layout, compared = Layout(name), 0
    for key, symbols in xkb_rows(*VARIANTS[name]).items():
        if key not in KEYS:
            continue
        for level, symbol in enumerate(symbols[:2]):
            wanted = symbol if len(symbol) == 1 else SYMBOLS.get(symbol)
            if wanted is None or (name, key, level) in DIFFERENT:
                continue
            compared += 1
            assert layout.character(Stroke(KEYS[key], shift=bool(level))) == wanted, (key, level)
        third = SYMBOLS.get(symbols[2]) if len(symbols) > 2 else None
        ours = layout.character(Stroke(KEYS[key], altgr=True))
        if third and ours.isascii() and ours:
            assert ours == third, (key, "AltGr")
    assert compared >= 80


@given(st.sampled_from(NAMES), st.text(PRINTABLE + "éèçàùäöüßñºª´¨€£µ", max_size=20))
def test_what_one_layout_types_the_same_layout_reads(name: str, text: str) -> None:
    from drivers.evdev_keys import Wedge

    layout = Layout(name)
    typable = "".join(character for character in text if layout.strokes(character))
    wedge, read = Wedge(layout), ""
    for character in typable:
        for stroke in layout.strokes(character):
            held = [code for code, is_held in ((42, stroke.shift), (100, stroke.altgr)) if is_held]
            for code in (*held, stroke.code):
                read += wedge.press(code)
            for code in (stroke.code, *held):
                read += wedge.release(code)
    assert read == typable
