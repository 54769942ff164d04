"""What must not leave this layer in clear, found by its shape; and keyed hashes for the two numbers that are kept.

Owns: `mask` (personal data inside a text becomes `*`), `is_personal` (a code that must not be shown as it is) and
`Pseudonyms`. Never: decides whose line it is (zones.py does; the reader masks those whole), nor a hash without a key:
the plain hash of a telephone number is undone by trying all of them.

Shapes and where they come from: mobile and fixed-line telephones (CN, HK, TW, MY, US, Europe, +…); card numbers
(ISO/IEC 7812: 12-19 digits with Luhn's check, or partly starred); resident ids (GB 11643: 17 digits and a check, a
date inside); payment codes (WeChat 18 digits 10-15…, Alipay 16-24 digits 25-30…, UnionPay 19 digits 62…); e-mail;
WeChat open ids; names behind a title or a key. When in doubt it masks: a masked order number costs nothing, a shown
telephone does.
"""

from __future__ import annotations

import hmac
import re
from typing import NamedTuple

MASK = "*"
_LABEL = b"edgebox receipt field v1"
_HASH_BYTES = 16  # 128 bits: no two numbers of a shop meet
_digits = re.compile(
    r"(?<![0-9.,])[0-9*＊●•](?:[ \-]{0,2}[0-9*＊●•]){6,40}(?:[xX](?![^\W_]))?(?!\d)(?![.,]\d)"
).finditer
_crossed = re.compile(r"(?<![^\W_])[xX]{4}(?:[ \-]?[xX]{2,4}){0,4}[ \-]?\d{2,6}(?!\d)")  # XXXX-XXXX-XXXX-1234
_CODE_DIGITS = 7  # the shortest telephone without its area
_email = re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,4}")
_openid = re.compile(r"(?<![A-Za-z0-9_\-])o[A-Za-z0-9_\-]{27}(?![A-Za-z0-9_\-])")
_plus = re.compile(r"\+\s?\d[\d \-().]{6,20}\d")
_area = re.compile(
    r"(?<!\d)\d{2}(?:\.\d{2}){4}(?!\d)|\(0?\d{2,4}\)\s?\d{3,4}[ \-]?\d{3,4}"
    r"|(?<!\d)0\d{1,3}[ \-]\d{3,4}[ \-]?\d{3,4}(?!\d)"
)
_title = re.compile(
    r"[\u4e00-\u9fff]{1,3}(?:先生|女士|小姐|太太)|[\u3041-\u9fff]{1,8}\s?(?:様|さま)(?![\u3041-\u9fff])"
)
_latin_title = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Herr|Frau|Mme|Sr|Sra|Dr)\b\.?\s+[^\W\d_][\w'\-]{0,30}(?:\s+[A-Z][\w'\-]{0,30})?"
)
_house = re.compile(r"[\u4e00-\u9fff]{2,12}(?:路|街|道|巷|弄|里|村|镇|乡)\s?\d{1,5}\s?(?:号|號)[^\s,，;；]{0,24}")
_hook = re.compile(
    r"(?:姓名|收货人|收貨人|收件人|联系人|聯絡人|顾客|客户|客戶|昵称|会员名|地址|电话|電話|手机|"
    r"\b(?:customer|cust name|name|guest|attn|contact|ship to|deliver to|bill to|address|phone|tel|mobile|e-?mail|"
    r"kunde|name|anschrift|adresse|telefon|client|nom|adresse|téléphone|cliente|nombre|nome|dirección|morada|"
    r"indirizzo|telefono|telefone|pelanggan|nama|alamat|telp|고객명|성명|주소|연락처|전화|お名前|氏名|住所|電話))"
    r"[\w. ]{0,6}[:：]\s*(\S.*)$",
    re.IGNORECASE,
)
_hashable = re.compile(r"[^0-9A-Za-z*]")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999, annex A
_ID_CHECKS = "10X98765432"


class Pseudonyms:
    """Keyed hashes. Holds the key; shows it to nobody."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """`key`: the shop's, handed in by whoever loads keys. b"": nothing is hashed and nothing is kept."""
        self._key = key

    def of(self, kind: str, value: str) -> str:
        """The hash of a number of this kind, 32 hex digits; "" without a key or if the value is empty or starred."""
        value = _hashable.sub("", value).upper()
        if not self._key or not value or MASK in value:
            return ""  # 138****1234 is nobody's number: two customers would become one
        digest = hmac.digest(self._key, _LABEL + b"\0" + kind.encode() + b"\0" + value.encode(), "sha256")
        return digest[:_HASH_BYTES].hex()


NOBODY = Pseudonyms(b"")


class Shown(NamedTuple):
    """A line of paper for people: `text` without personal data; `masked`: something was taken out."""

    text: str
    masked: bool


def mask(text: str, keep: frozenset[str] = frozenset()) -> str:
    """The text with what looks personal starred, letter by letter, so that columns stay where they are.

    `keep`: codes (digits and letters only) that may stay although they are long: the receipt's own number.
    """
    if text.isascii() and not _suspicious(text):
        return text
    text = _crossed.sub(_stars, _mask_digits(_email.sub(_stars, text), keep))
    text = _openid.sub(_stars, text)
    found = _hook.search(text)
    if found:
        text = text[: found.start(1)] + star_out(found[1])
    text = _latin_title.sub(_stars, text)
    if not text.isascii():
        text = _house.sub(_stars, _title.sub(_stars, text))
    return _area.sub(_stars, _plus.sub(_stars, text))


_suspicious = re.compile(
    r"[@+:]|\d(?:[ \-.()]{0,2}\d){6}|\d\*|\*\d|[xX]{4}|\bo\w{27}|\b(?:Mr|Mrs|Ms|Miss|Herr|Frau|Mme|Sra?|Dr)\b"
).search


def star_out(text: str) -> str:
    """Every letter and digit starred: nothing of it is left but its length."""
    return re.sub(r"[^\W_]", MASK, text)


def _stars(match: re.Match[str]) -> str:
    return star_out(match[0])


def _mask_digits(text: str, keep: frozenset[str]) -> str:
    out, begin = [], 0
    for match in _digits(text):
        run = match[0]
        bare = re.sub(r"[ \-]", "", run)
        if bare.upper() in keep or not _is_long_code(run, bare):
            continue
        out += [text[begin : match.start()], star_out(run)]
        begin = match.end()
    return "".join([*out, text[begin:]]) if out else text


_date_like = re.compile(r"(?:(?:19|20)\d\d-\d\d?-\d\d?|\d\d?-\d\d?-(?:19|20)?\d\d)(?:\s+\d{1,2})?$").match
_columns = re.compile(r"\d{1,6}(?:\s+\d{1,6})+$").match
_card_groups = re.compile(r"\d{4}(?:[ \-]\d{4}){2,3}$").match


def _is_long_code(run: str, bare: str) -> bool:
    """Digits that belong together, and are no amounts in columns and no date."""
    if sum(map(str.isdigit, bare)) + bare.count(MASK) < _CODE_DIGITS or not any(map(str.isdigit, bare)):
        return False
    if _date_like(run):
        return False
    return not _columns(run) or is_personal(bare) or _card_groups(run) is not None


def is_personal(code: str) -> bool:
    """A code with the shape of a telephone, card, resident id or payment code."""
    code = re.sub(r"[ \-.]", "", code)
    if MASK in code:
        return any(map(str.isdigit, code))
    if len(code) == 18 and code[:17].isdigit() and _is_resident_id(code):
        return True
    if not code.isdecimal() or not code.isascii():
        return False
    return _is_mobile(code) or is_payment_code(code) or is_card(code)


def _is_mobile(code: str) -> bool:
    """CN 1[3-9] and nine digits more, with or without 86; TW 09 and eight; MY 01 and eight or nine."""
    code = code.removeprefix("0086").removeprefix("86") if len(code) in (13, 15) else code
    if len(code) == 11 and code[0] == "1" and code[1] in "3456789":
        return True
    return code[:2] in ("09", "01") and 10 <= len(code) <= 11


def is_payment_code(code: str) -> bool:
    """WeChat, Alipay or UnionPay: good for a minute, and worth money while it is."""
    size = len(code)
    if size == 18 and "10" <= code[:2] <= "15":
        return True
    return (16 <= size <= 24 and "25" <= code[:2] <= "30") or (size == 19 and code[:2] == "62")


# Digits of a number by its first ones, ISO/IEC 7812 and the networks' lists: Amex, Diners, JCB; Visa; Mastercard and
# Maestro; Discover and UnionPay; Mastercard's newer range; UnionPay's oldest.
_CARD = re.compile(
    r"3[47]\d{13}|3(?:0|6|8|9)\d{12}|35\d{14,17}|4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|(?:50|5[6-9]|6)\d{10,17}"
    r"|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|(?:81|9[45])\d{14,17}"
).fullmatch


def is_card(code: str) -> bool:
    """A card's number: its first digits and its length are a network's, and Luhn's check holds."""
    return _CARD(code) is not None and _luhn(code)


def _luhn(code: str) -> bool:
    total = 0
    for place, digit in enumerate(map(int, reversed(code))):
        total += digit if place % 2 == 0 else (2 * digit - 9 if digit > 4 else 2 * digit)
    return total % 10 == 0


def _is_resident_id(code: str) -> bool:
    month, day = int(code[10:12]), int(code[12:14])
    if not ("11" <= code[:2] <= "82" and code[6:8] in ("18", "19", "20") and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    check = _ID_CHECKS[sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, code, strict=False)) % 11]
    return code[17].upper() == check
