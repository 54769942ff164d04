"""Bar codes as bars: the symbologies of GS k as runs of dark and light modules.

Owns: the code tables and check digits. Never: pixels, heights or the letters below the bars.
`modules` gives one character a module ("1" dark), wide elements already widened. None: this data can't be coded, or the
symbology is not one of those here (GS1 DataBar), and the caller draws a labelled box.
Sources: GS1 General Specifications 5.2 (EAN/UPC, ITF-14), ISO/IEC 15417 (Code 128), ISO/IEC 16388 (Code 39).
"""

from __future__ import annotations

from edgebox.escpos.symbols import BarCode


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# EAN digits, odd parity (left), as module patterns; even parity is the mirror of the complement.
_EAN = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_EAN_PARITY = ("OOOOOO", "OOEOEE", "OOEEOE", "OOEEEO", "OEOOEE", "OEEOOE", "OEEEOO", "OEOEOE", "OEOEEO", "OEEOEO")
_UPC_E_PARITY = ("EEEOOO", "EEOEOO", "EEOOEO", "EEOOOE", "EOEEOO", "EOOEEO", "EOOOEE", "EOEOEO", "EOEOOE", "EOOEOE")

_CODE39_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%*"
# Nine elements a character, bar and space in turn; w wide, n narrow.
_CODE39 = _patterns(
    "nnnwwnwnn wnnwnnnnw nnwwnnnnw wnwwnnnnn nnnwwnnnw wnnwwnnnn nnwwwnnnn nnnwnnwnw wnnwnnwnn nnwwnnwnn "
    "wnnnnwnnw nnwnnwnnw wnwnnwnnn nnnnwwnnw wnnnwwnnn nnwnwwnnn nnnnnwwnw wnnnnwwnn nnwnnwwnn nnnnwwwnn "
    "wnnnnnnww nnwnnnnww wnwnnnnwn nnnnwnnww wnnnwnnwn nnwnwnnwn nnnnnnwww wnnnnnwwn nnwnnnwwn nnnnwnwwn "
    "wwnnnnnnw nwwnnnnnw wwwnnnnnn nwnnwnnnw wwnnwnnnn nwwnwnnnn nwnnnnwnw wwnnnnwnn nwwnnnwnn nwnwnwnnn "
    "nwnwnnnwn nwnnnwnwn nnnwnwnwn nwnnwnwnn"
)
_ITF = ("nnwwn", "wnnnw", "nwnnw", "wwnnn", "nnwnw", "wnwnn", "nwwnn", "nnnww", "wnnwn", "nwnwn")
_CODABAR_LETTERS = "0123456789-$:/.+ABCD"
_CODABAR = _patterns(
    "nnnnnww nnnnwwn nnnwnnw wwnnnnn nnwnnwn wnnnnwn nwnnnnw nwnnwnn nwwnnnn wnnwnnn nnnwwnn nnwwnnn wnnnwnw "
    "wnwnnnw wnwnwnn nnwnwnw nnwwnwn nwnwnnw nnnwnww nnnwwwn"
)
_WIDE = 3  # modules of a wide element; the printers' thick bars are 2.5 to 3 times the thin ones

# Widths of bar and space in turn, values 0-105 and stop.
_CODE128 = _patterns(
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 "
    "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 "
    "212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 "
    "113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
    "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 "
    "241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 "
    "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 "
    "211232 2331112"
)
_START = {"A": 103, "B": 104, "C": 105}
_SWITCH = {"A": 101, "B": 100, "C": 99}
_FNC = {"1": 102, "2": 97, "3": 96, "S": 98}
_STOP = 106


def modules(code: BarCode) -> str | None:
    """The bars of a GS k, or None where they can't be drawn."""
    encode = _ENCODERS.get(code.kind)
    if encode is None:
        return None
    try:
        return encode(code)
    except (ValueError, IndexError, KeyError):  # letters that the symbology hasn't got, or too few of them
        return None


def check_digit(digits: str) -> str:
    """EAN and UPC: weights 3 and 1 from the right."""
    total = sum(int(digit) * (3 if n % 2 == 0 else 1) for n, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _completed(text: str, length: int) -> str:
    """The digits with their check digit, which the till may leave out."""
    if not text.isdecimal() or len(text) not in (length - 1, length):
        raise ValueError(text)
    return text[: length - 1] + check_digit(text[: length - 1])


def _even(digit: int) -> str:
    return _right(digit)[::-1]


def _right(digit: int) -> str:
    return _EAN[digit].translate(str.maketrans("01", "10"))


def _half(digits: str, parity: str) -> str:
    return "".join(_EAN[int(d)] if p == "O" else _even(int(d)) for d, p in zip(digits, parity, strict=True))


def _ean13(code: BarCode) -> str:
    digits = _completed(code.text, 13)
    left = _half(digits[1:7], _EAN_PARITY[int(digits[0])])
    return "101" + left + "01010" + "".join(_right(int(d)) for d in digits[7:]) + "101"


def _upc_a(code: BarCode) -> str:
    return _ean13(code._replace(text="0" + _completed(code.text, 12)))


def _ean8(code: BarCode) -> str:
    digits = _completed(code.text, 8)
    return "101" + _half(digits[:4], "OOOO") + "01010" + "".join(_right(int(d)) for d in digits[4:]) + "101"


def _upc_e(code: BarCode) -> str:
    short = _short_upc(code.text)
    digit = int(check_digit(_long_upc(short)))
    return "101" + _half(short, _UPC_E_PARITY[digit]) + "010101"


def _short_upc(text: str) -> str:
    """The six digits of UPC-E: as sent, or squeezed out of the eleven of UPC-A (zeroes left out)."""
    if not text.isdecimal():
        raise ValueError(text)
    if len(text) in (6, 7, 8):
        return text if len(text) == 6 else text[1:7]
    maker, item = text[1:6], text[6:11]
    if maker[2] in "012" and maker[3:] == "00":
        return maker[:2] + item[2:] + maker[2]
    if maker[3:] == "00":
        return maker[:3] + item[3:] + "3"
    return maker[:4] + item[4] + "4" if maker[4] == "0" else maker + item[4]


def _long_upc(short: str) -> str:
    last = short[5]
    if last in "012":
        return "0" + short[:2] + last + "0000" + short[2:5]
    if last == "3":
        return "0" + short[:3] + "00000" + short[3:5]
    return "0" + short[:4] + "00000" + short[4] if last == "4" else "0" + short[:5] + "0000" + last


def _elements(pattern: str) -> str:
    """Bars and spaces in turn, beginning with a bar."""
    return "".join("10"[n % 2] * (_WIDE if width == "w" else 1) for n, width in enumerate(pattern))


def _code39(code: BarCode) -> str:
    text = "*" + code.text.upper().strip("*") + "*"
    return "0".join(_elements(_CODE39[_CODE39_LETTERS.index(letter)]) for letter in text)


def _itf(code: BarCode) -> str:
    digits = code.text
    if not digits.isdecimal():
        raise ValueError(digits)
    if len(digits) % 2:
        digits = digits[:-1]  # Epson: an odd last digit is ignored
    pairs = "".join(
        bar + space
        for n in range(0, len(digits), 2)
        for bar, space in zip(_ITF[int(digits[n])], _ITF[int(digits[n + 1])], strict=True)
    )
    return _elements("nnnn" + pairs + "wnn")


def _codabar(code: BarCode) -> str:
    return "0".join(_elements(_CODABAR[_CODABAR_LETTERS.index(letter)]) for letter in code.text.upper())


def _code128(code: BarCode) -> str:
    values = _code128_values(code.data) if b"{" in code.data[:1] else _code128_values(b"{B" + code.data)
    if len(values) < 2:
        raise ValueError(code.text)
    check = (values[0] + sum(n * value for n, value in enumerate(values))) % 103
    widths = "".join(_CODE128[value] for value in [*values, check, _STOP])
    return "".join("10"[n % 2] * int(width) for n, width in enumerate(widths))


def _code128_values(data: bytes) -> list[int]:
    """The data of GS k m=73: {A {B {C choose a code set, {1-{4 and {S are functions, {{ is a brace."""
    values: list[int] = []
    code_set, n = "", 0
    while n < len(data):
        byte = data[n]
        if byte == 0x7B:
            selector = chr(data[n + 1])
            n += 2
            if selector in _START:
                values.append(_START[selector] if not code_set else _SWITCH[selector])
                code_set = selector
                continue
            if selector in _FNC:
                values.append(_FNC[selector])
                continue
            byte = ord(selector)  # {{
        else:
            n += 1
        values.append(_code128_value(byte, code_set))
    return values


def _code128_value(byte: int, code_set: str) -> int:
    if code_set == "C":
        if byte > 99:
            raise ValueError(byte)
        return byte
    if code_set == "A" and byte < 32:
        return byte + 64
    if not 32 <= byte < (96 if code_set == "A" else 128):
        raise ValueError(byte)
    return byte - 32


_ENCODERS = {
    "upc-a": _upc_a,
    "upc-e": _upc_e,
    "ean13": _ean13,
    "ean8": _ean8,
    "code39": _code39,
    "itf": _itf,
    "codabar": _codabar,
    "code128": _code128,
}
