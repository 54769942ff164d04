"""Brings printed text to one form, and cuts it into the tokens that words of the lexicon are made of.

Owns: `normalise` and `tokens`. Never: what a word means. Both sides, the lexicon's words and the receipt's lines, go
through here, so that full-width letters, accents, capitals, punctuation and the spaces inside `合  计` make no
difference.
"""

from __future__ import annotations

import re
import unicodedata

_LATIN_MARKS = re.compile("[\u0300-\u036f]")  # accents; the marks of kana (3099, 309A) are letters' own and stay
# Letters with an accent, and accents by themselves; beyond these, in Chinese, Japanese and Korean, there are none.
_may_have_accents = re.compile("[\u00c0-\u2e7f]").search
# One token: a run of letters, a run of digits, or one character of a script that is written without spaces. Hangul is
# taken by the syllable as well: receipts space it out to fill a column.
_TOKEN = re.compile(
    "[\u3005\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
    "|[a-z\u00df-\u024f\u0370-\u052f]+|\\d+|[^\\W\\d_]"
)
# Three letters and more with one blank between any two. The first searches are for the commonest parts of such a word.
_lone_letter = re.compile(" [a-z] ").search
_spaced = re.compile("(?<![a-z0-9])[a-z] [a-z] [a-z](?![a-z0-9])").search
_spaced_word = re.compile("(?<![a-z0-9])[a-z](?: [a-z](?![a-z0-9])){2,}").sub
_dotted = re.compile(r"(?<![a-z0-9.])(?:[a-z]\.){2,}[a-z]?(?![a-z0-9])")
JOINT = "\u066c"  # stands for a blank that joins groups of digits, which NFKC would make a plain blank
_joining_blank = re.compile("(?<=\\d)[\u00a0\u202f\u2009](?=\\d{3})")
LINE_MAX = 400  # characters of a line that are read; the widest printer has 64 columns, four lines of it are plenty


def normalise(text: str) -> str:
    """NFKC, lower case, no accents, `T O T A L` joined, at most LINE_MAX characters. Other blanks stay: columns."""
    text = text[:LINE_MAX]
    if text.isascii():
        return _joined(text.lower())
    text = unicodedata.normalize("NFKC", _joining_blank.sub(JOINT, text)).casefold()
    if _may_have_accents(text) is not None:
        text = unicodedata.normalize("NFC", _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", text)))
    return _joined(text)


def _joined(text: str) -> str:
    """Words that are spaced out to look wide, letter by letter, and those shortened to letters with dots, as one."""
    if ". " in text or text.count(".") > 1:
        text = _dotted.sub(lambda match: match[0].replace(".", ""), text)
    if _lone_letter(text) is None or _spaced(text) is None:
        return text
    return _spaced_word(lambda match: match[0].replace(" ", ""), text)


def tokens(text: str) -> tuple[str, ...]:
    """The tokens of a normalised text; punctuation and blanks are gone."""
    return tuple(_TOKEN.findall(text))
