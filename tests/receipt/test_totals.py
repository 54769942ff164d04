"""Which amount was paid: equations before labels, and nothing when in doubt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.model import Confidence, TenderKind
from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import Role
from edgebox.receipt.totals import Paper, Rules, decide
from tests.receipt.paper import EURO, PAID_TILL, SHOP, YEN, read


def earned(paper: str, shop: object = SHOP) -> int | None:
    receipt = read(paper, shop)  # type: ignore[arg-type]
    return receipt.amount_minor if receipt.qualifies else None


def test_tendered_less_change_proves_a_total() -> None:
    receipt = read("TOTAL 33.90\nCASH 50.00\nCHANGE 16.10")
    assert (receipt.amount_minor, receipt.confidence) == (3390, Confidence.HIGH)
    assert receipt.reasons == ("tendered 50.00 - change 16.10 = 33.90",)


@pytest.mark.parametrize(
    ("paper", "minor"),
    [
        ("TOTAL 24.41\nCASH 40.00\nROUNDED TOTAL 24.40\nCHANGE 15.60", 2440),
        ("TOTAL AMT RM 60.31\nROUNDING ADJ -0.01\n        RM 60.30\nCASH RM 70.30\nCHANGE RM 10.00", 6030),
        ("SUBTOTAL 6.98\nTAX 0.63\nTOTAL 7.61\nVISA 7.61", 761),
        ("合计 30.00\n优惠 -2.00\n应付 28.00\n微信支付 28.00", 2800),
        ("小计:162.02\n促销优惠:-12.00\n应收:150.02\n抹零:0.02\n合计:150.00\n现金:200.00\n找零:50.00", 15000),
        ("合计:2071.4\n现金:2100\n实收:2067.4\n银联:4\n找零:32.6", 207140),  # two tenders, change on one
        ("合计:653.09\n现金:100\n实收:85\n银联:568\n找零:15\n抹零:0.09", 65300),  # the rounded total isn't printed
        ("原价合计:503.0\n优惠金额:5.0\n实付金额:498.0\n会员卡支付:498.0\n线下代金券:5.0", 49800),
        ("总计:   2   17.1元\n信用卡付款: 17.1", 1710),  # a count goes first
        ("合计：￥1364.40,优惠: ￥0.00\n邮费：￥6.00,抵扣：￥1.00\n实际支付：￥1369.40", 136940),
        ("应付 75.00元，优惠减免 3.00元\n实付72.00元，支付方式：微信", 7200),
        ("合  计:  26.00\n微信: 26.00", 2600),
        ("TOTAL\n$15.03\nCASH\n$20.00\nCG $4.97", 1503),
        ("TOTAL DUE 89.00\nCASH -100.00\nCASH 11.00", 8900),  # change as what went back of the tender
        ("TOTAL RM 15.15\n        RM 100.15\nCASH\nCHANGE RM 85.00", 1515),  # the amount stands above its label
        ("29.68\nTOTAL SALES (INCLUSIVE OF GST) :\nCASH : 29.68\nCHANGE : 0.00", 2968),
        ("GRAND TOTAL 28.15\nNOTE GIVEN 50.00\nCHANGE 21.85", 2815),  # a label that no word explains
        ("GRAND TOTAL 28.15\nCASH 50.00\nBACK TO YOU 21.85", 2815),
        ("SUBTOTAL 26.55\nTAX 1.60\nTOTA1 28.15\nCASH 50.00\nCHANGE 21.85", 2815),
        ("AMT PAID INCL GST : RM111.90\nAMT PAID EXCL. GST : RM105.57\nPAID BY : CC*7185:RM111.90", 11190),
        ("TO PAY\nTOTAL\n33.90\nCASH 50.00\nCHANGE 16.10", 3390),  # two labels for one amount
        ("SUMMARY 1.41\nTOTAL PAID 20.00\nCHANGE 18.59\n23% 0.26 1.41", 141),
        ("TEA 10.00\nSUBTOTAL   TAX   TOTAL\n10.00   0.60   10.60\nVISA 10.60", 1060),  # headings, and amounts below
        ("牛肉面 30.00\n合计  优惠  应付\n30.00  2.00  28.00\n微信支付 28.00", 2800),
        ("TOTAL 60.00\nVOUCHER 10.00\nCASH 50.00", 5000),
        ("2 ITEM(S) TOTAL (RM): 9.80\nCASH: 10.00\nCHANGE: 0.20", 980),
        ("T O T A L ( R M ) :  8.00\nC A S H :  8.00", 800),
        ("TOTAL EURO *17.00\nCASH *17.00", 1700),  # filled up, so that no digit can be written in front
        ("TOTAL 1.38\nROUNDING 0.02\nCASH 1.40", 140),  # rounded up, and the rounded total isn't printed
        ("TOTAL 17.22\nRND ADJ 0.02-\nCASH 20.00\nCHANGE 2.80", 1720),
        ("TOTAL DUE\nVISA\n84.20\n84.20", 8420),  # two labels, and the same amount for both
        ("TOTAL\nCASH\nUSD\n40.00\nUSD\n40.00", 4000),
        ("TOTAL\nVISA\n3.48", 348),  # the only amount
        ("TEA 9.99\nTAX .95\nSUMMA 10.94\nCASH 11.00\nCHANGE .06", 1094),  # right above the cash, by whatever label
        ("应收金额：2.00\n现金：2.00\n满减满折：-2.90\n实收金额：10.00   找零金额：8.00", 200),
    ],
)
def test_the_amount_paid_is_found(paper: str, minor: int) -> None:
    assert earned(paper) == minor


@pytest.mark.parametrize(
    ("paper", "why"),
    [
        ("TOTAL 33.90", "nothing says that it is paid"),
        ("TOTAL 33.90\nTHIS IS NOT A RECEIPT\nCASH 33.90", "not paid"),
        ("货到付款（未支付）\n实收金额：72.00", "not paid"),
        ("MILK 16.00\nCASH 16.00", "no total found"),
        ("TOTAL 33.90\nCASH 50.00\nCHANGE 16.20", "the payment matches no total"),
        ("TOTAL 30.00\nTOTAL 20.00\nPAID", "totals disagree"),
        ("GST ID: 000381399040\nID: 4711\nTOTAL 33.90", "nothing says that it is paid"),
        ("TOTAL 0.00\nCASH 0.00\nCHANGE 0.00", "nothing to pay"),
        ("SUBTOTAL 50.00\nTAX 3.00\nTOTAL 53.00\nVISA 50.00", "another total than the last"),
        ("TOTAL 33.90\nCHANGE 16.20", "the payment matches no total"),
        ("TOTAL 33.90\nCASH 50.00", "the payment matches no total"),
        ("TOTAL " + "9" * 40 + ".00\nCASH " + "9" * 40 + ".00", "no total found"),
        ("TOTAL\nNET\n33.90\n30.51\nVISA 5.00", ""),  # two labels, two amounts: which is whose?
        ("TOTAL\nVISA\n84.20\n48.20", ""),
        ("TOTAL\nVOUCHER PAYMENT\n10.00\n10.00", ""),
        ("TEA 4.00\nTOTAL\nVISA\n3.48", ""),
        ("TOTAL 1.38\nROUNDING 0.02\nCASH 1.42", ""),
        ("TOTAL 12.00\nSUMMA 10.94\nCASH 11.00\nCHANGE .06", ""),  # a total is printed, and is another
        ("合计:20.00\n团购券:20.00\n实收:0.00", ""),
        ("TOTAL 30.00\nGRAND TOTAL 20.00\nCASH 30.00\nVISA 20.00", ""),
    ],
)
def test_in_doubt_nothing_is_earned(paper: str, why: str) -> None:
    receipt = read(paper)
    assert not receipt.qualifies
    assert why in receipt.reasons[-1]


def test_a_till_that_prints_after_payment_needs_no_proof_on_paper() -> None:
    assert earned("SUBTOTAL 28.48\nTAX 2.28\nTOTAL 30.76") is None
    receipt = read("SUBTOTAL 28.48\nTAX 2.28\nTOTAL 30.76", PAID_TILL)
    assert (receipt.amount_minor, receipt.confidence) == (3076, Confidence.HIGH)


def test_the_shop_says_whether_cash_rounding_counts() -> None:
    paper = "TOTAL 24.41\nCASH 40.00\nROUNDED TOTAL 24.40\nCHANGE 15.60"
    assert earned(paper, SHOP._replace(rules=Rules(round_to_cash=False))) == 2441


def test_the_shop_says_whether_service_counts() -> None:
    paper = "小计 300.00\n服务费 30.00\n应付金额 330.00\n现金 330.00"
    assert earned(paper) == 33000
    assert earned(paper, SHOP._replace(rules=Rules(less_service=True))) == 30000


def test_change_and_total_that_make_a_note_prove_each_other() -> None:
    receipt = read("TOTAL 3.80\nCHANGE 6.20")
    assert (receipt.amount_minor, receipt.confidence) == (380, Confidence.MEDIUM)
    assert "3.80 + change 6.20 = 10.00, a round sum" in receipt.reasons[0]


def test_cash_without_change_needs_the_items_to_bear_the_total_out() -> None:
    receipt = read("MILK 16.00\nBREAD 17.90\nTOTAL 33.90\nCASH 50.00")
    assert (receipt.amount_minor, receipt.confidence) == (3390, Confidence.MEDIUM)
    assert earned("MILK 16.00\nBREAD 17.00\nTOTAL 33.90\nCASH 50.00") is None


def test_a_total_known_by_its_label_alone_earns_up_to_a_limit() -> None:
    limited = SHOP._replace(rules=Rules(medium_max_minor=10_000))
    assert earned("TOTAL 100.00\nPAID BY: VISA", limited) == 10_000
    receipt = read("TOTAL 100.01\nPAID BY: VISA", limited)
    assert (receipt.qualifies, receipt.confidence) == (False, Confidence.LOW)
    assert receipt.reasons == ("100.01 by its label; it says that it is paid: without proof only 100.00 may earn",)
    assert earned("TOTAL 100.01\nVISA 100.01", limited) == 10_001  # proven: no limit


def test_an_invoice_receipt_of_portugal_is_paid_by_its_name() -> None:
    assert earned("FATURA-RECIBO FT 1/300\nTotal 13,20", EURO) == 1320
    assert earned("FATURA FT 1/300\nTotal 13,20", EURO) is None


def test_nothing_received_is_no_proof_of_payment() -> None:
    assert earned("TOTAL 1.88\nRECEIVED 0.00") is None
    assert earned("TOTAL 1.88\nRECEIVED 0.00\nCHANGE 0.00", PAID_TILL) == 188


def test_other_conventions_of_money() -> None:
    assert earned("SUMME EUR 13,05\nBAR 20,05\nRÜCKGELD 7,00", EURO) == 1305
    assert earned("合計 ¥1,080\nお預り ¥2,000\nお釣り ¥920", YEN) == 1080


@pytest.mark.parametrize(
    "says",
    ["CASH SALE (MAIN ST)", "CASH INV NO.: 7830F715", "CARD TYPE: VISA", "AUTH CODE: 190275"],
)
def test_papers_of_money_received_are_paid(says: str) -> None:
    assert earned(f"{says}\nTEA 30.00\nMILK 3.90\nTOTAL 33.90") == 3390
    assert earned(f"TEA 30.00\nMILK 3.90\nTOTAL 33.90\n{says}") == 3390


def test_numbers_of_an_address_are_no_items_and_what_stands_below_is_heading() -> None:
    paper = "LOT 3, MAIN STREET 23\n40300 SHAH ALAM 4\nCASH SALE\nTEA 2.13 5 10.65\nTOTAL 10.65"
    assert earned(paper) == 1065
    assert earned("LOT 3, MAIN STREET 23\nTEA 2.13 5 10.65\nCASH SALE\nMILK 1.00\nTOTAL 11.65") is None


def test_what_stands_in_the_first_item_is_no_heading() -> None:
    item = "1 x ok\nTOTAL 0.01\nVISA 0.01\n   1   3.40   3.40"
    assert earned(f"SHOP\n{item}\nROLL 5.25\nTOTAL 8.65") is None
    assert earned("SHOP\n12 MILL LANE 4\n1 x ok\nPAID\n  1   3.40   3.40\nROLL 5.25\nTOTAL 8.65") is None


SPECIAL = "BURGER 5.99\nSpecial Request\nadd lettuce 0.25\nadd sauce 0.40"


def test_a_request_without_a_colon_ends_at_the_totals() -> None:
    assert earned(f"{SPECIAL}\nSubtotal 6.64\nTax 0.63\nTotal 7.27\nVISA 7.27") == 727
    assert earned(f"{SPECIAL}\nSubtotal 6.64\nTax 0.63\nTotal 7.27") is None


@pytest.mark.parametrize(
    "forged", ["Total 99.00\nVISA 99.00", "Subtotal 93.01\nTotal 99.00\nPAID", "PAID", "VISA 6.64"]
)
def test_a_request_without_a_colon_decides_nothing(forged: str) -> None:
    assert earned(f"{SPECIAL}\n{forged}\nSubtotal 6.64\nTotal 6.64") is None
    assert earned(f"{SPECIAL}\n{forged}\nSubtotal 6.64\nTotal 6.64\nCASH 10.00\nCHANGE 3.36") in (None, 664)


def test_tender_lines_are_told() -> None:
    receipt = read("应付:30.00\n现金:10.00\n支付宝:20.00")
    assert receipt.tenders == ((TenderKind.CASH, 1000), (TenderKind.ALIPAY, 2000))
    assert receipt.amount_minor == 3000


def test_money_that_went_back_is_a_refund() -> None:
    receipt = read("合计: -69.90\n现金: -69.90")
    assert (receipt.kind.value, receipt.qualifies) == ("refund", False)


ENTRIES = st.builds(
    Entry,
    role=st.sampled_from(list(Role)),
    tender=st.sampled_from([None, *TenderKind]),
    minor=st.integers(-(10**11), 10**11) | st.sampled_from([0, 1000, 2000, 3000]),
    place=st.integers(0, 50),
    firm=st.booleans(),
    text=st.just(""),
)


@settings(max_examples=200, deadline=None)
@given(entries=st.lists(ENTRIES, max_size=60), paid=st.booleans())
def test_whatever_is_printed_only_a_positive_amount_is_ever_decided(entries: list[Entry], paid: bool) -> None:
    decision = decide(Paper(entries, entries[:5], (), paid), Rules())
    assert decision.minor is None or decision.minor > 0
    assert decision.reasons
    assert (decision.minor is None) == (decision.confidence is Confidence.LOW)


def test_vouchers_alone_pay_a_sale_that_earns_nothing() -> None:
    receipt = read("BOULANGERIE\nBAGUETTE 6.20\nNET A PAYER 6.20\nTICKET RESTAURANT 6.20")
    assert receipt.kind.value == "sale"
    assert not receipt.qualifies
    assert receipt.reasons == ("paid with vouchers alone",)
