"""Who is added to a sale that does not name them: by the code they showed, or by the tag they carry."""

import pytest

from edgebox.member_at_till import BY_SCAN, BY_TAG, SHOWN_MAX, STAFF_BY_TAG, AtTill, Tagged
from edgebox.model import Details, DocumentKind, Modifier, Receipt
from edgebox.store.events import ReceiptRecord

ANNA, BEN = "a" * 32, "b" * 32
SALE = Receipt(DocumentKind.SALE)


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def record(member: str, *attached: str, line: str = "line1") -> ReceiptRecord:
    return ReceiptRecord(
        at=1, session="00", document=1, line=line, kind="sale", member=member, attached=tuple(attached)
    )


def whom(till: AtTill, line: str = "line1", receipt: Receipt = SALE) -> tuple[str, str, tuple[str, ...]]:
    details = till.attached(line, receipt).details
    return details.member, details.cashier, details.attached


def test_a_scanned_member_is_the_next_sales_and_nobody_elses() -> None:
    till = AtTill(Time())
    till.show("line1", ANNA, 60)
    assert whom(till) == (ANNA, "", (BY_SCAN,))
    assert whom(till, "line2") == ("", "", ())
    till.recorded(record(BEN, line="line1"))
    assert whom(till)[0] == ANNA, "that sale named its own member"
    till.recorded(record(ANNA, BY_SCAN))
    assert whom(till) == ("", "", ())


def test_a_scanned_member_who_does_not_buy_is_forgotten() -> None:
    time = Time()
    till = AtTill(time)
    till.show("line1", ANNA, 60)
    time.now += 60
    assert whom(till)[0] == till.shown("line1") == ""


def test_a_scanner_of_no_line_speaks_for_each_until_a_sale_took_it() -> None:
    till = AtTill(Time())
    till.show("", ANNA, 60)
    assert whom(till, "line2")[0] == ANNA
    till.recorded(record(ANNA, BY_SCAN, line="line2"))
    assert whom(till, "line1")[0] == ""


def test_a_scanned_code_counts_for_more_than_a_tag_and_paper_for_more_than_both() -> None:
    till = AtTill(Time())
    till.tags = lambda line: Tagged(BEN, "07") if line == "line1" else Tagged()
    assert whom(till) == (BEN, "07", (BY_TAG, STAFF_BY_TAG))
    till.show("line1", ANNA, 60)
    assert whom(till) == (ANNA, "07", (BY_SCAN, STAFF_BY_TAG))
    printed = SALE._replace(details=Details(member="c" * 32, cashier="03"))
    assert whom(till, receipt=printed) == ("c" * 32, "03", ())
    assert whom(till, "line2") == ("", "", ())


@pytest.mark.parametrize("kind", [kind for kind in DocumentKind if kind is not DocumentKind.SALE])
def test_only_sales_are_somebodys(kind: DocumentKind) -> None:
    till = AtTill(Time())
    till.show("line1", ANNA, 60)
    till.tags = lambda line: Tagged(BEN, "07")
    assert whom(till, receipt=Receipt(kind)) == ("", "", ())


def test_of_endless_lines_the_oldest_is_forgotten() -> None:
    till = AtTill(Time())
    for number in range(SHOWN_MAX + 1):
        till.show(f"line{number}", ANNA, 60)
    assert (till.shown("line0"), till.shown(f"line{SHOWN_MAX}")) == ("", ANNA)


@pytest.mark.parametrize("modifier", [Modifier.REPRINT, Modifier.COPY, Modifier.SPLIT])
def test_a_tag_at_the_till_is_no_reprints_member(modifier: Modifier) -> None:
    till = AtTill(Time())
    till.tags = lambda line: Tagged(BEN, "07")
    assert whom(till, receipt=SALE._replace(modifiers=(modifier,))) == ("", "07", (STAFF_BY_TAG,))
