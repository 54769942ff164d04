"""Bytes to text: code pages, national letters, and the two-byte scripts.

Owns: Epson's page numbers, the letters of ESC R, and the choice of a codec for one printed line. Never: raises, or
looks at what is to come; the same lines in the same order give the same text. Undecodable bytes become U+FFFD.

The choice is made once for a line and holds for all its pieces, so it can't flip inside a word. In this order:

    1  only ASCII                             ASCII
    2  FS ( C has selected UTF-8              UTF-8
    3  every piece is well-formed UTF-8       UTF-8, whatever the page says: other text hardly ever is. Only a few
                                              two-letter words of GBK are too ("目" is C4 BF), so where lines of this
                                              paper were two-byte text before, a short one of this sort stays that
    4  Kanji mode (FS &, or on at power-on because the profile names a script)
                                              the profile's codec; without one, what the bytes look like
    5  nobody chose a page, and the bytes look like pairs of a two-byte script
                                              that script (Chinese tills leave out FS &)
    6  otherwise                              the page in force for each piece (tills switch ESC t inside a word)

What bytes "look like" adds up over the lines of a paper: each script's common characters count for it, rare ones and
impossible bytes against it. GB18030 contains GBK and GB2312, so one codec reads all three; Big5-HKSCS contains Big5.
Sources: Epson "ESC/POS Command Reference" (ESC t, ESC R, FS ( C), GB 18030-2022, and the streams in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edgebox.escpos.profile import PrinterProfile


class Charset(NamedTuple):
    """What the till has said about its letters. `kanji`: None until FS & (True) or FS . (False)."""

    page: int = 0  # ESC t n
    page_chosen: bool = False
    national: int = 0  # ESC R n
    kanji: bool | None = None
    utf8: bool = False  # FS ( C


# ESC t n -> Python codec (Epson's numbering). Python has no codec for 11 (851), 12 (853), 41 (1098), 42 (1118),
# 43 (1119), 30/31 (TCVN-3) and the Indian pages 66-75: their upper halves come out as U+FFFD, or as a profile says.
CODE_PAGES: dict[int, str] = {
    0: "cp437",
    1: "katakana",
    2: "cp850",
    3: "cp860",
    4: "cp863",
    5: "cp865",
    13: "cp857",
    14: "cp737",
    15: "iso8859-7",
    16: "cp1252",
    17: "cp866",
    18: "cp852",
    19: "cp858",
    20: "cp874",
    21: "cp874",
    26: "cp874",
    32: "cp720",
    33: "cp775",
    34: "cp855",
    35: "cp861",
    36: "cp862",
    37: "cp864",
    38: "cp869",
    39: "iso8859-2",
    40: "iso8859-15",
    44: "cp1125",
    45: "cp1250",
    46: "cp1251",
    47: "cp1253",
    48: "cp1254",
    49: "cp1255",
    50: "cp1256",
    51: "cp1257",
    52: "cp1258",
    53: "kz1048",
}

# ESC R n -> what stands in place of  # $ @ [ \ ] ^ ` { | } ~
_REPLACED = "#$@[\\]^`{|}~"
NATIONAL: dict[int, str] = {
    1: "#$à°ç§^`éùè¨",  # France
    2: "#$§ÄÖÜ^`äöüß",  # Germany
    3: "£$@[\\]^`{|}~",  # United Kingdom
    4: "#$@ÆØÅ^`æøå~",  # Denmark I
    5: "#¤ÉÄÖÅÜéäöåü",  # Sweden
    6: "#$@°\\é^ùàòèì",  # Italy
    7: "₧$@¡Ñ¿^`¨ñ}~",  # Spain I
    8: "#$@[¥]^`{|}~",  # Japan
    9: "#¤ÉÆØÅÜéæøåü",  # Norway
    10: "#$ÉÆØÅÜéæøåü",  # Denmark II
    11: "#$á¡Ñ¿é`íñóú",  # Spain II
    12: "#$á¡Ñ¿éüíñóú",  # Latin America
    13: "#$@[₩]^`{|}~",  # Korea
    14: "#$ŽŠĐĆČžšđćč",  # Slovenia, Croatia
    15: "#¥@[\\]^`{|}~",  # China
    16: "#₫@[\\]^`{|}~",  # Vietnam
}
_NATIONAL_MAPS = {n: str.maketrans(_REPLACED, letters) for n, letters in NATIONAL.items()}

# Page 1 of ESC t: JIS X 0201 with Epson's graphics around it.
_KATAKANA = (
    "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├▔─│▕┌┐└┘╭╮╰╯ "
    + "".join(chr(0xFF61 + n) for n in range(63))
    + "═╞╪╡◢◣◥◤♠♥♦♣●○╱╲╳円年月日時分秒〒市区町村人▒ "
)
_KATAKANA_MAP = {0x80 + n: letter for n, letter in enumerate(_KATAKANA)}


class Text(NamedTuple):
    """Decoded text. `paired`: from a two-byte script, where every sign that is not ASCII takes two columns."""

    text: str
    paired: bool


class _Script(NamedTuple):
    """One two-byte script.

    `find_all`: everything that is not ASCII, each as (common, rare, stray) with one of the three filled;
    `find_word`: receipt words that settle it, because their bytes are common in another script too, or rare in this.
    """

    codec: str
    find_all: Callable[[bytes], list[tuple[bytes, bytes, bytes]]]
    find_word: Callable[[bytes], object]


def _tokens(common: bytes, pair: bytes) -> Callable[[bytes], list[tuple[bytes, bytes, bytes]]]:
    return re.compile(rb"(" + common + rb")|(" + pair + rb")|([\x80-\xff])").findall


def _words(codec: str, *words: str) -> Callable[[bytes], object]:
    return re.compile(b"|".join(re.escape(word.encode(codec)) for word in words)).search


# In order of preference where two look equally good. The common parts: level 1 of GB 2312 (sorted by sound, B0-D7),
# of Big5 (A4-C6) and of JIS X 0208 with kana, Hangul of KS X 1001 (B0-C8); punctuation and full-width letters of each.
_SCRIPTS = (
    _Script(
        "gb18030",
        _tokens(
            rb"[\xa1\xa3\xb0-\xd7][\xa1-\xfe]|\x81\x30\x84\x36",
            rb"[\x81-\xfe](?:[\x30-\x39][\x81-\xfe][\x30-\x39]|[\x40-\x7e\x80-\xfe])",
        ),
        # traditional letters, which are rare in GB 2312; and the 年 of a date, which stands alone between digits
        _words("gb18030", "單號", "檯號", "總計", "合計", "數量", "金額", "廚房", *(f"{n}年" for n in "0123456789")),
    ),
    _Script(
        "big5hkscs",
        _tokens(rb"[\xa1\xa4-\xc6][\x40-\x7e\xa1-\xfe]", rb"[\x87-\xfe][\x40-\x7e\xa1-\xfe]"),
        _words("big5", "合計", "總計", "小計", "金額", "發票", "單號"),
    ),
    _Script(
        "cp932",
        _tokens(rb"[\x81-\x83\x88-\x97][\x40-\x7e\x80-\xfc]", rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),
        _words("cp932", "合計", "小計", "お預", "お釣", "税込", "領収"),
    ),
    _Script(
        "cp949",
        _tokens(rb"[\xa1\xa3\xb0-\xc8][\xa1-\xfe]", rb"[\x81-\xfe][\x41-\x5a\x61-\x7a\x81-\xfe]"),
        _words("cp949", "합계", "금액", "영수증", "부가세", "카드", "결제", "주문", "매출"),
    ),
)
_SURE = 3  # two-byte lines after which a line with a broken character is one too
_SETTLED = 200  # common characters, some ten lines: the script is known and no longer looked at
_WORD_SCORE = 40  # a receipt word outweighs a line of look-alikes
_CODEC_OF_CJK = {
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_PLAIN = (Charset(), Charset(kanji=True))  # a till that says nothing about its letters, or FS & and no more
_UNCHOSEN = ("cp437",)  # what a page nobody chose is called: only then may bytes be taken for another script
_LONG_UTF8 = 4  # characters: of 53,000 lines of GBK and Big5 receipts 224 are UTF-8 too, all with two such characters
_PAIRS_IN_A_ROW = re.compile(rb"[\x81-\xfe][\x30-\xfe][\x81-\xfe][\x30-\xfe]")
# CP437's lines and shades, three alike in a row: drawn rules are pairs of GBK too ("哪哪哪").
_find_rule = re.compile(rb"([\xb0-\xdf])\1\1").search


class Decoder:
    """Turns the pieces of printed lines into text, line after line. One per paper."""

    __slots__ = ("_fixed", "_known", "_on", "_pages", "_scores", "_two_byte")

    def __init__(self, profile: PrinterProfile) -> None:
        self._pages = CODE_PAGES | dict(profile.code_pages)
        self._fixed = _CODEC_OF_CJK.get(profile.cjk)
        self._on = self._fixed is not None and profile.cjk_on
        self._scores = [0] * len(_SCRIPTS)
        # a short cut: the printer's own codec, or that of all lines before, when those were many
        self._known: str | None = self._fixed if self._on else None
        self._two_byte = 0  # lines of two-byte text less lines of UTF-8, so far

    def line(self, pieces: Sequence[tuple[bytes, Charset]]) -> list[Text]:
        """The text of each piece of one printed line."""
        high = [raw for raw, _ in pieces if not raw.isascii()]
        if not high:
            return [Text(_national(raw.decode("ascii"), charset), False) for raw, charset in pieces]
        if all(charset.utf8 for _, charset in pieces) or self._is_utf8(high, pieces):
            return [Text(raw.decode("utf-8", "replace").replace("\ufeff", ""), False) for raw, _ in pieces]
        two_byte = self._two_byte_codec(high, pieces)
        return [self._piece(raw, charset, two_byte) for raw, charset in pieces]

    def one(self, raw: bytes, charset: Charset) -> str:
        """The text of a line that is one piece."""
        if not charset.national and raw.isascii():
            return raw.decode("ascii")
        if self._known is not None and charset in _PLAIN and (text := _as_known(raw, self._known)) is not None:
            return text
        return self.line(((raw, charset),))[0].text

    # -- inside

    def _is_utf8(self, high: list[bytes], pieces: Sequence[tuple[bytes, Charset]]) -> bool:
        try:
            texts = [raw.decode("utf-8") for raw in high]
        except UnicodeDecodeError:
            return False
        expected = self._on or any(charset.kanji for _, charset in pieces)
        letters = sum(len(text) - len(text.encode("ascii", "ignore")) for text in texts)
        narrow = not any(char > "߿" for text in texts for char in text)  # U+07FF: the last of two bytes
        if letters < _LONG_UTF8 and (self._two_byte > 0 or (expected and narrow and self._two_byte >= 0)):
            return False
        self._two_byte -= 1
        return True

    def _two_byte_codec(self, high: list[bytes], pieces: Sequence[tuple[bytes, Charset]]) -> str | None:
        """The codec for this line's two-byte pieces; None where the line is single-byte."""
        wanted = [raw for raw, charset in pieces if not raw.isascii() and self._may_be_pairs(charset)]
        if not wanted:
            return None
        declared = any(self._on if charset.kanji is None else charset.kanji for _, charset in pieces)
        if self._fixed and declared:
            return self._fixed
        best = self._best_script(wanted)
        if not declared and not self._looks_two_byte(wanted, best):
            return None
        self._two_byte += 1
        return best.codec

    def _may_be_pairs(self, charset: Charset) -> bool:
        if charset.kanji is not None:
            return charset.kanji
        return self._on or self._pages.get(charset.page) in _UNCHOSEN

    def _best_script(self, wanted: list[bytes]) -> _Script:
        scores = self._scores
        best = scores.index(max(scores))
        if scores[best] < _SETTLED or any(not _decodes(raw, _SCRIPTS[best].codec) for raw in wanted):
            for n, script in enumerate(_SCRIPTS):
                for raw in wanted:
                    scores[n] += _score(script, raw)
            best = scores.index(max(scores))
        elif self._two_byte > 0:
            self._known = _SCRIPTS[best].codec
        return _SCRIPTS[best]

    def _looks_two_byte(self, wanted: list[bytes], script: _Script) -> bool:
        """Undeclared pairs: after such lines, whatever decodes; before, mostly common ones and two of them in a row."""
        if any(_find_rule(raw) for raw in wanted):
            return False
        if self._two_byte >= _SURE:
            return True
        if any(not _decodes(raw, script.codec) for raw in wanted):
            return False
        if self._two_byte > 0:
            return True
        if sum(_score(script, raw) for raw in wanted) <= 0:
            return False
        return any(_PAIRS_IN_A_ROW.search(raw) or script.find_word(raw) for raw in wanted)

    def _piece(self, raw: bytes, charset: Charset, two_byte: str | None) -> Text:
        paired = two_byte is not None and self._may_be_pairs(charset)
        if two_byte is not None and paired and (not charset.page_chosen or _decodes(raw, two_byte)):
            return Text(_national(raw.decode(two_byte, "replace"), charset), True)
        codec = self._pages.get(charset.page, "ascii")
        return Text(_national(_single_byte(raw, codec), charset), False)


def _score(script: _Script, raw: bytes) -> int:
    """A common character counts one for the script, a rare one one against it, a stray byte three."""
    score = _WORD_SCORE if script.find_word(raw) else 0
    for common, rare, _ in script.find_all(raw):
        score += 1 if common else -1 if rare else -3
    return score


def _as_known(raw: bytes, codec: str) -> str | None:
    """The line in the paper's codec; None where it could be UTF-8, or isn't in that codec."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            return None
    return None


def _decodes(raw: bytes, codec: str) -> bool:
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _single_byte(raw: bytes, codec: str) -> str:
    if codec == "katakana":
        return raw.decode("latin-1").translate(_KATAKANA_MAP)
    try:
        return raw.decode(codec, "replace")
    except LookupError:  # a profile names a codec that this Python lacks
        return raw.decode("ascii", "replace")


def _national(text: str, charset: Charset) -> str:
    return text.translate(_NATIONAL_MAPS[charset.national]) if charset.national in _NATIONAL_MAPS else text
