"""What is personal never leaves the receipt layer: not in the receipt, not in the JSON, not on the screen."""

import re
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.captures import read_capture
from edgebox.commands_read import render
from edgebox.escpos.profile import PrinterProfile
from edgebox.explain import explain
from edgebox.receipt.reader import ReceiptReader
from edgebox.receipt.redact import Pseudonyms, is_personal, mask
from tests.receipt.paper import SHOP, lexicon, lines

KEY = b"k" * 32


def luhn(body: str) -> str:
    """The body with its check digit."""
    digits = [int(digit) for digit in reversed(body)]
    doubled = [2 * digit - 9 if digit > 4 else 2 * digit for digit in digits]
    total = sum(doubled[::2]) + sum(digits[1::2])
    return body + str(-total % 10)


def resident(body: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(w * int(d) for w, d in zip(weights, body, strict=True)) % 11]


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


PHONES = digits(9).map(lambda rest: f"13{rest}")
CARDS = digits(11).map(lambda rest: luhn(f"6222{rest}")) | digits(14).map(lambda rest: luhn(f"4{rest}"))
RESIDENTS = digits(3).map(lambda rest: resident(f"11010119900307{rest}"))
WECHAT = st.tuples(st.sampled_from("012345"), digits(16)).map(lambda pair: f"1{pair[0]}{pair[1]}")
ALIPAY = st.tuples(st.integers(25, 30), st.integers(14, 22).flatmap(digits)).map(lambda pair: f"{pair[0]}{pair[1]}")
MAILS = st.from_regex(r"[a-z]{5,12}@[a-z]{4,8}\.(com|cn)", fullmatch=True)
CODES = PHONES | CARDS | RESIDENTS | WECHAT | ALIPAY | MAILS
BEFORE = st.sampled_from(
    ["", "TEL ", "电话：", "会员账号：", "卡号:", "备注：", "NO: ", "单号:", "Receipt No: ", "Phone ", "顾客 ",
     "机号:", "2 x ", "Customer: ", "付款码 ", "交易单号:", "收银员:", "桌号:"]
)  # fmt: skip
NAMES = st.sampled_from(["欧阳娜娜", "Zyxwvut Qrstuv", "Müllerknecht"])
NAMED = st.sampled_from(["姓名：", "收货人: ", "Customer: ", "Name: ", "会员姓名:", "联系人：", "SHIP TO: ", "顾客："])


def everything(paper: str) -> str:
    """All that leaves: the receipt, the JSON of `edgebox read`, its explanation, and the redacted lines."""
    raw = paper.encode("gb18030") + b"\n\x1dV\x00"
    documents = read_capture(raw, PrinterProfile(), lambda: ReceiptReader(SHOP, lexicon(), None, Pseudonyms(KEY)))
    out = []
    for document in documents:
        out += [repr(document.receipt), msgspec.json.encode(render(document)).decode(), explain(document)]
        out += [shown.text for shown in document.reader.redacted()]
    return "\n".join(out)


def leaks(secret: str, text: str) -> bool:
    """The secret stands in the text, whatever blanks and dashes are in between."""
    joined = re.sub(r"[ \-]", "", text).casefold()
    return re.sub(r"[ \-]", "", secret).casefold() in joined


@settings(max_examples=150, deadline=None)
@given(BEFORE, CODES, st.sampled_from(["", " 12.00", "元", "  x1  8.00"]))
def test_no_number_of_a_person_ever_leaves(before: str, code: str, behind: str) -> None:
    planted = f"{before}{code}{behind}"
    paper = f"CORNER SHOP\n{planted}\n2026-11-18 18:42\nMILK  16.00\n{planted}\nTOTAL 16.00\nCASH 16.00"
    assert not leaks(code, everything(paper))


@settings(max_examples=40, deadline=None)
@given(NAMED, NAMES)
def test_no_name_behind_its_key_ever_leaves(before: str, name: str) -> None:
    paper = f"CORNER SHOP\n2026-11-18 18:42\nMILK  16.00\nTOTAL 16.00\nCASH 16.00\n{before}{name}\n"
    assert not leaks(name, everything(paper))


@pytest.mark.parametrize("key", ["Customer:", "Ship to:", "客户信息：", "姓名:", "Cliente:"])
def test_no_name_below_its_key_ever_leaves(key: str) -> None:
    person = f"{key}\nZyxwvut Qrstuv\n12 Qwertz Lane\n  2 x 8.00   16.00\n"
    text = everything(f"SHOP\n{person}----------------\nTOTAL 16.00\nCASH 16.00\n")
    assert not leaks("Zyxwvut", text)
    assert not leaks("Qwertz", text)
    assert "TOTAL 16.00" in text


@pytest.mark.parametrize("remark", ["不要辣 13800138000", "刘德华 生日快乐", "退款 9999.00 王小明", "leave at Jane's"])
def test_a_remark_is_starred_whole(remark: str) -> None:
    text = everything(f"CORNER SHOP\n单号:4711\n牛肉面  16.00\n合计 16.00\n现金 16.00\n备注：{remark}\n")
    assert [word for word in re.findall(r"\w{3,}", remark) if word in text] == []


@pytest.mark.parametrize(
    "text",
    [
        "TOTAL  33.90",
        "16.00  17.90  33.90",
        "鲜榨果汁      2  12.00   24.00",
        "2026-11-18 18:42:07",
        "现金 4172.15 4172.15 100 20",
        "TOTAL RM 1,234,567.89",
        "1 000 000,00",
        "12 x 1200 14400",
    ],
)
def test_amounts_and_dates_stay(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("6222 0212 3456 7890", "**** **** **** ****"),
        ("1234567 12.00", "******* 12.00"),
        ("01.42.68.53.00", "**.**.**.**.**"),
        ("+86 138 0013 8000", "+** *** **** ****"),
        ("62220212****7890", "****************"),
        ("VISA XXXX-XXXX-XXXX-1234", "VISA ****-****-****-****"),
        ("Table 4  Mr Smith", "Table 4  ** *****"),
        ("孙先生 到店", "*** 到店"),
        ("a.b@example.com", "*.*@*******.***"),
    ],
)
def test_what_is_masked_keeps_its_length(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert len(mask(text)) == len(text)


@given(st.text(max_size=300))
def test_any_text_is_masked_in_place_and_once(text: str) -> None:
    masked = mask(text)
    assert len(masked) == len(text)
    assert mask(masked) == masked


def test_the_receipts_own_number_stays_if_it_begins_with_the_day() -> None:
    def read(number: str, key: bytes) -> str:
        reader = ReceiptReader(SHOP, lexicon(), None, Pseudonyms(key))
        reader.feed(lines(f"SHOP\n单号:{number}\n2026-11-18 18:42\n合计 16.00\n现金 16.00"))
        return reader.finish().number

    assert read("2611181842070001", KEY) == "2611181842070001"  # by its shape an Alipay code
    hashed = read("2811181842070001", KEY)
    assert re.fullmatch("~[0-9a-f]{32}", hashed)
    assert read("2811181842070001", KEY) == hashed
    assert read("2811181842070001", b"another") != hashed
    assert read("2811181842070001", b"") == ""


def test_member_and_payment_leave_as_keyed_hashes_only() -> None:
    paper = "SHOP\n单号:4711\n会员号:88001234\n支付单号:4200001234567890\n合计 16.00\n微信支付 16.00"
    readers = [ReceiptReader(SHOP, lexicon(), None, Pseudonyms(key)) for key in (KEY, KEY, b"other", b"")]
    for reader in readers:
        reader.feed(lines(paper))
    first, again, other, none = (reader.finish().details for reader in readers)
    assert len(first.member) == len(first.transaction) == 32
    assert first.member != first.transaction
    assert (first.member, first.transaction) == (again.member, again.transaction)
    assert {first.member, first.transaction}.isdisjoint((other.member, other.transaction))
    assert (none.member, none.transaction) == ("", "")


def test_a_starred_number_is_nobodys() -> None:
    assert Pseudonyms(KEY).of("member", "138****1234") == ""


def test_the_key_is_not_shown() -> None:
    assert "kkkk" not in repr(Pseudonyms(KEY))


@pytest.mark.parametrize(
    ("code", "personal"),
    [
        ("13800138000", True),
        ("4111111111111111", True),
        ("4111111111111112", False),
        ("910101199003071233", False),
        ("134567890123456789", True),
        ("20261118030178", False),
        ("000417", False),
        ("A-00417", False),
        ("260506125729", False),
    ],
)
def test_codes_are_told_by_their_shape(code: str, personal: bool) -> None:
    assert is_personal(code) is personal


@pytest.mark.parametrize("text", [piece * 300_000 for piece in ("9", "a", "备注", "1.00 ", "a@b", "o1", "1 ")])
def test_one_endless_line_is_shown_in_bounded_time(text: str) -> None:
    began = time.process_time()
    reader = ReceiptReader(SHOP, lexicon())
    reader.feed(lines(text))
    (shown,) = reader.redacted()
    assert len(shown.text) <= 400
    assert time.process_time() - began < 0.5
