"""What the law has printed in words: named where it is whole, nothing where it only sounds like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.model import Confidence, DocumentKind, Receipt
from edgebox.receipt.fiscaltext import FiscalText
from edgebox.receipt.reader import Shop
from tests.receipt.paper import EURO, read

DOLLARS = Shop(currency="TWD")
SALE = "LADEN\nWARE  33,90\nSUMME  33,90\nBAR  50,00\nRÜCKGELD  16,10\n"
SERIAL = "b0d5c1a7e9f34b6288c0de1f5a7712349abcdef0123456789abcdef012345678"
NUMBER = f"{SERIAL[-12:].upper()}-112"
TSE = f"""TSE-Transaktion: 112
TSE-Signaturzähler: 225
TSE-Start: 2024-05-20T18:41:02.000Z
TSE-Stop: 2024-05-20T18:42:07.000Z
TSE-Seriennummer:
{SERIAL}
TSE-Signatur: MEUCIQDKx1nVQ0m2yTq0Q5ZpC3dVv5wIgH8
"""
OTHERS = (  # the same by other tills
    f"*** TSE-Daten ***\nTransaktionsnummer: 112\nSignaturzähler: 225\nStart: 2024-05-20 18:41:02\n"
    f"Ende: 2024-05-20 18:42:07\nSeriennummer: {SERIAL}\n",
    f"TSE\nTA-Nr 112\nSig.-Nr. 225\nStartzeit 2024-05-20T18:41:02\n"
    f"Stoppzeit 2024-05-20T18:42:07Z\nSerien-Nr. {SERIAL}\n",
)
TAIWAN = "商店\n電子發票證明聯\n113年05-06月\nAB-12345678\n2024-05-20 18:42:07\n隨機碼 1234  總計 241\n賣方12345678\n"


def fiscal(receipt: Receipt) -> str:
    return receipt.details.fiscal


@pytest.mark.parametrize("block", [TSE, *OTHERS])
def test_a_block_of_words_names_the_transaction_where_nothing_else_does(block: str) -> None:
    receipt = read(SALE + block, EURO)
    assert (receipt.qualifies, receipt.amount_minor, fiscal(receipt)) == (True, 3390, "DE TSE")
    assert (receipt.number, receipt.printed_date) == (NUMBER, "2024-05-20")  # with the serial: each till counts alone
    assert dict(receipt.details.sure)["number"] is Confidence.MEDIUM


def test_the_papers_own_number_and_date_go_before_the_blocks() -> None:
    receipt = read("Bon-Nr: 4711\nDatum: 21.05.2024 20:42\n" + SALE + TSE, EURO)
    assert (receipt.number, receipt.printed_date, fiscal(receipt)) == ("4711", "2024-05-21", "DE TSE")


def test_the_block_is_no_proof_of_payment() -> None:
    bill = "LADEN\nWARE  33,90\nSUMME  33,90\n"
    assert not read(bill + TSE, EURO).qualifies


def test_a_block_of_training_or_of_a_void_says_so() -> None:
    for word, kind in (("AVTraining", DocumentKind.TRAINING), ("AVBelegstorno", DocumentKind.VOID)):
        receipt = read(f"{SALE}{TSE}TSE-Vorgang: {word}\n", EURO)
        assert (receipt.kind, receipt.qualifies) == (kind, False)


@pytest.mark.parametrize(
    "words",
    [
        "Start: 10 Uhr\nEnde: 12 Uhr\nSeriennummer: 12345678\n",  # a class in a sports club
        TSE.replace("TSE-", ""),  # the word itself is missing
        "TSE-Transaktion: 112\n",
        "TSE ausgefallen\nStart 2024-05-20T18:41:02\n",
        f"Bemerkung:\n{TSE}",
    ],
)
def test_what_only_sounds_like_a_block_is_none(words: str) -> None:
    assert fiscal(read(SALE + words, EURO)) == ""


def test_another_countrys_shop_has_no_such_block() -> None:
    assert fiscal(read(SALE.replace(",", ".") + TSE)) == ""


def test_portugals_words_name_the_document() -> None:
    receipt = read("LOJA\nPAO  3,00\nTOTAL  3,00\nNUMERARIO  3,00\nATCUD:CDF7T5HD-12345\n", EURO)
    assert (receipt.number, receipt.amount_minor, fiscal(receipt)) == ("CDF7T5HD-12345", 300, "PT ATCUD")
    with_number = read("LOJA\nFatura n.º: 4711\nPAO  3,00\nTOTAL  3,00\nNUMERARIO  3,00\nATCUD:CDF7T5HD-12345\n", EURO)
    assert with_number.number != ""
    assert fiscal(with_number) == "PT ATCUD"


def test_taiwans_words_hold_number_and_total() -> None:
    receipt = read(TAIWAN, DOLLARS)
    assert (receipt.qualifies, receipt.amount_minor, receipt.number) == (True, 24100, "AB12345678")
    assert receipt.reasons[0] == "TW e-invoice code says 241.00"


def test_taiwans_words_and_another_printed_total_leave_nothing_known() -> None:
    receipt = read(TAIWAN + "總計 999\n現金 1000\n找零 1\n", DOLLARS)
    assert not receipt.qualifies
    assert {"241.00", "999.00"} <= set(receipt.reasons[0].replace(",", "").split())


@given(st.lists(st.sampled_from([*TSE.splitlines(), *TAIWAN.splitlines(), "ATCUD:", "TSE-", "Start:", ""])
                | st.text(max_size=200), max_size=20))  # fmt: skip
def test_any_lines_name_something_or_nothing(lines: list[str]) -> None:
    found = FiscalText()
    for line in lines:
        found.add(line)
    named, code = found.named(), found.code()
    assert named is None or (named.number and len(named.number) < 40)
    assert code is None or code.cents > 0
