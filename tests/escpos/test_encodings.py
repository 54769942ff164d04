"""Bytes to text: what a customer would read, whatever the till said or left out about its letters."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.escpos.encodings import CODE_PAGES, NATIONAL, Charset, Decoder
from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from tests.escpos.streams import CORPUS, CORPUS_MISSING

PLAIN = PrinterProfile()
SILENT = Charset()  # a till that says nothing about its letters
CHINESE = PrinterProfile(cjk="gb18030")
KANJI = Charset(kanji=True)


def decoded(raw: bytes, charset: Charset = SILENT, profile: PrinterProfile = PLAIN) -> str:
    return Decoder(profile).one(raw, charset)


def page(n: int) -> Charset:
    return Charset(page=n, page_chosen=True)


# -- code pages


@pytest.mark.parametrize(
    ("n", "raw", "text"),
    [
        (0, b"caf\x82 \xe1", "café ß"),
        (1, b"\xc4\xb0\xc0\xd9 \xf2\xf3", "ﾄｰﾀﾙ 年月"),
        (2, b"\x80\xe4 \xb5", "Çõ Á"),
        (3, b"\x84 \x87", "ã ç"),
        (13, b"\x98\x9f", "İş"),
        (14, b"\x91\x94\x8d", "ΣΦΞ"),
        (16, b"12,50 \x80", "12,50 €"),
        (17, b"\x88\x92\x8e\x83\x8e", "ИТОГО"),
        (18, b"\x9f\xac", "čČ"),
        (19, b"\xd5", "€"),
        (36, b"\x80\x81", "אב"),
        (40, b"\xa4", "€"),
        (46, b"\xc8\xd2\xce\xc3\xce", "ИТОГО"),
    ],
)
def test_a_code_page_reads_as_epson_numbers_it(n: int, raw: bytes, text: str) -> None:
    assert decoded(raw, page(n)) == text


def test_every_code_page_has_a_codec_in_this_python() -> None:
    for n in CODE_PAGES:
        assert decoded(b"A\xb5", page(n))[0] == "A"


def test_a_profile_numbers_its_pages_its_own_way() -> None:
    bixolon = PrinterProfile(code_pages=((0, "cp437"), (16, "cp1256")))
    assert decoded(b"\xc7\xe1", page(16), bixolon) == "ال"
    assert decoded(b"\x88", page(17), bixolon) == "И"


def test_an_unknown_page_and_an_unknown_codec_are_no_fault() -> None:
    assert decoded(b"5 \x80", page(200)) == "5 \ufffd"
    assert decoded(b"5 \x80", page(7), PrinterProfile(code_pages=((7, "cp-of-mars"),))) == "5 \ufffd"


def test_a_switch_of_pages_inside_a_word_reads_as_one_word() -> None:
    """A real till's way to print `Informação … 3,50 €`."""
    pieces = [(b"Informa", page(0)), (b"\x87", page(3)), (b"\x84", page(3)), (b"o 3,50 ", page(0)), (b"\xd5", page(19))]
    assert "".join(text for text, _ in Decoder(PLAIN).line(pieces)) == "Informação 3,50 €"


@pytest.mark.parametrize(
    ("n", "text"),
    [(1, "à°ç§éùè"), (2, "§ÄÖÜäöüß"), (3, "£"), (7, "₧¡Ñ¿ñ"), (8, "¥"), (13, "₩"), (15, "¥"), (12, "áÑú")],
)
def test_an_international_set_replaces_its_letters(n: int, text: str) -> None:
    shown = decoded(b"#$@[\\]^`{|}~", Charset(national=n))
    assert len(shown) == 12
    assert set(text) <= set(shown)


def test_a_yen_amount_of_a_japanese_till() -> None:
    assert decoded(b"\\1,280", Charset(national=8)) == "¥1,280"


def test_every_international_set_replaces_twelve_letters_and_no_digit() -> None:
    for n, letters in NATIONAL.items():
        assert len(letters) == 12
        assert decoded(b"0123456789.,-AZaz", Charset(national=n)) == "0123456789.,-AZaz"


# -- two-byte scripts


@pytest.mark.parametrize("charset", [KANJI, Charset()], ids=["FS &", "no FS &"])
@pytest.mark.parametrize("profile", [PLAIN, CHINESE], ids=["plain", "chinese"])
@pytest.mark.parametrize("text", ["合计: 28.80", "应付金额 26.00", "【预结单】桌号 A12", "2026年11月20日"])
def test_gb18030_is_read_with_and_without_fs(text: str, profile: PrinterProfile, charset: Charset) -> None:
    assert decoded(text.encode("gb18030"), charset, profile) == text


def test_four_byte_yen_is_a_yen_and_its_digits_are_no_amount() -> None:
    """`¥` is 81 30 84 36 in GB18030: bytes dropped without a look would make 06192.00 of ¥192.00."""
    raw = "合计 ¥192.00".encode("gb18030")
    assert b"\x81\x30\x84\x36" in raw
    assert decoded(raw, KANJI) == "合计 ¥192.00"
    assert decoded(b"\x81\x30\x84\x36192.00", KANJI, CHINESE) == "¥192.00"


def test_full_width_yen_and_digits_keep_their_value() -> None:
    assert decoded(b"\xa3\xa4\xa3\xb1\xa3\xb9\xa3\xb2\xa3\xae\xa3\xb0", KANJI) == "￥１９２．０"


def test_fs_cancel_makes_high_bytes_single_again() -> None:
    pieces = [("合计".encode("gbk"), KANJI), (b" \x9c5", Charset(kanji=False))]
    assert [text for text, _ in Decoder(CHINESE).line(pieces)] == ["合计", " £5"]


@pytest.mark.parametrize(
    ("cjk", "text"),
    [("gbk", "小票"), ("big5", "總計 新臺幣"), ("shift_jis", "合計 ｶﾅ かな"), ("euc_kr", "합계 12,000원")],
)
def test_a_profile_that_names_its_script_settles_it(cjk: str, text: str) -> None:
    codec = {"gbk": "gbk", "big5": "big5", "shift_jis": "cp932", "euc_kr": "cp949"}[cjk]
    assert decoded(text.encode(codec), Charset(), PrinterProfile(cjk=cjk)) == text


def test_a_printer_with_kanji_off_at_power_on_reads_its_page_until_fs() -> None:
    epson = PrinterProfile(cjk="shift_jis", cjk_on=False)
    assert decoded(b"caf\x82", Charset(), epson) == "café"
    assert decoded("合計".encode("cp932"), KANJI, epson) == "合計"


@pytest.mark.parametrize(
    ("codec", "lines"),
    [
        ("gb18030", ["欢迎光临", "合计 12.00", "元", "谢谢"]),
        ("big5", ["統一發票", "合計 350", "元", "謝謝光臨"]),
        ("cp932", ["領収書", "合計 ¥1,280", "お預り 2,000", "お釣り 720"]),
        ("cp949", ["영수증", "합계 12,000", "부가세 1,091", "카드 12,000"]),
    ],
)
def test_a_script_that_nobody_names_is_told_by_its_looks(codec: str, lines: list[str]) -> None:
    decoder = Decoder(PLAIN)
    expected = [line.replace("¥", "\\") if codec == "cp932" else line for line in lines]
    assert [decoder.one(line.encode(codec), Charset()) for line in expected] == expected


def test_a_word_that_is_utf8_by_chance_stays_chinese_between_chinese_lines() -> None:
    """ "小計" in GBK is D0 A1 D3 8B: well-formed UTF-8 for two Cyrillic letters."""
    decoder = Decoder(PLAIN)
    for line in ("新記茶餐廳 單號 7", "小計:  305.80", "合計:  305.80"):
        assert decoder.one(line.encode("gbk"), Charset()) == line
    assert decoded("小計".encode("gbk"), KANJI) == "小計"


# -- UTF-8


@pytest.mark.parametrize("charset", [Charset(), page(0), page(16), KANJI, Charset(kanji=False), Charset(utf8=True)])
@pytest.mark.parametrize("text", ["Olá, 3,50 €", "合计 28.80 元", "ИТОГО", "合計"])
def test_utf8_is_read_whatever_the_page_says(text: str, charset: Charset) -> None:
    assert decoded(text.encode(), charset) == text


def test_a_few_accents_in_utf8_are_read_unless_kanji_was_asked_for() -> None:
    assert decoded("Crème".encode(), page(0)) == "Crème"
    assert decoded("Crème".encode(), KANJI) == "Cr猫me"  # C3 A8: after FS & a printer prints just that


def test_fs_c_selects_utf8_even_for_broken_text() -> None:
    assert decoded(b"caf\xc3", Charset(utf8=True)) == "caf\ufffd"


def test_a_byte_order_mark_is_not_printed() -> None:
    assert decoded("\ufeffÉté".encode()) == "Été"


# -- Western text is not taken for another script


@pytest.mark.parametrize(
    "text",
    ["PROMOÇÃO LIGAÇÃO 5,00", "créée à Noël", "Größe Straße Äpfel", "£5 café São João", "ÀÉÎ", "────────", "═══╬═══"],
)
def test_western_text_on_the_page_at_power_on_stays_western(text: str) -> None:
    raw = text.encode("cp437", "replace")
    assert decoded(raw) == raw.decode("cp437")


def test_a_chosen_page_is_believed_even_where_its_bytes_pair_up() -> None:
    raw = "ИТОГО К ОПЛАТЕ ЧЕКИ".encode("cp1251")
    assert decoded(raw, page(46)) == "ИТОГО К ОПЛАТЕ ЧЕКИ"


# -- never a fault, never a surprise


charsets = st.builds(
    Charset,
    page=st.integers(0, 255),
    page_chosen=st.booleans(),
    national=st.integers(0, 20),
    kanji=st.sampled_from([None, True, False]),
    utf8=st.booleans(),
)
profiles = st.sampled_from(
    [PLAIN, CHINESE, *(PrinterProfile(cjk=cjk) for cjk in ("gbk", "big5", "shift_jis", "euc_kr"))]
)


@settings(max_examples=200, deadline=None)
@given(profile=profiles, lines=st.lists(st.lists(st.tuples(st.binary(max_size=20), charsets), max_size=4), max_size=6))
def test_any_bytes_become_text_without_a_fault(
    profile: PrinterProfile, lines: list[list[tuple[bytes, Charset]]]
) -> None:
    first, second = Decoder(profile), Decoder(profile)
    for line in lines:
        texts = first.line(line)
        assert len(texts) == len(line)
        "".join(text for text, _ in texts).encode("utf-8")  # no lone surrogates
        assert second.line(line) == texts  # the same lines in the same order


@settings(max_examples=100, deadline=None)
@given(profile=profiles, text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_ascii_is_ascii_everywhere(profile: PrinterProfile, text: str) -> None:
    assert decoded(text.encode(), Charset(), profile) == text


@pytest.mark.skipif(not CORPUS.exists(), reason=CORPUS_MISSING)
@pytest.mark.parametrize(("profile", "share"), [(PLAIN, 0.99), (CHINESE, 1.0)], ids=["plain", "chinese"])
def test_chinese_receipts_read_as_they_were_written(profile: PrinterProfile, share: float) -> None:
    """Of receipts in GB18030 (half of them without FS &); where the profile says nothing, a shop's name may fail."""
    rows = [json.loads(line) for line in (CORPUS / "zh/truth.jsonl").read_text().splitlines()[::23]]
    rows = [row for row in rows if row["encoding"] in ("gb18030", "gbk")]
    right = 0
    for row in rows:
        parser, paper = Parser(), Paper(profile)
        events = [*parser.feed((CORPUS / "zh" / row["file"]).read_bytes()), *parser.finish()]
        paper.feed(events)
        paper.finish()
        written = b"".join(event for event in events if isinstance(event, bytes)).decode(row["encoding"])
        shown = "".join(line.text for line in paper.take_lines())
        right += "".join(written.split()) == "".join(shown.split())
    assert right >= share * len(rows)
