"""A drawn paper shows what is kept, where the slip was, and a code that a phone reads."""

import re

from hypothesis import given
from hypothesis import strategies as st

from edgebox.receipt.keeping import BOLD, CENTRE, GAP_BIT, HIDDEN, MARKED, WIDE
from edgebox.reports.paper_view import Mark, qr_path, sheet
from edgebox.slips import qr
from edgebox.stored_paper import StoredLine, StoredPaper

URL = "HTTPS://M.EXAMPLE.CN/C/" + "A" * 58
spots = st.none() | st.tuples(st.integers(-1, 6), st.integers(-2, 60), st.integers(-2, 60))
lines = st.lists(st.builds(StoredLine, st.text(max_size=50), st.integers(0, 1 << 12)), max_size=5).map(tuple)
tenders = st.lists(spots.filter(bool), max_size=3).map(tuple)
papers = st.builds(
    StoredPaper, st.just(1), lines, spots, spots, st.integers(-1, 6), tenders, st.integers(-1, 9), st.just(())
)


@given(papers)
def test_every_letter_is_drawn_once_in_order_whatever_the_marks(paper: StoredPaper) -> None:
    found = sheet(paper, ("points",), 60, 33)
    shown = [HIDDEN if line.look & MARKED and not line.text else line.text for line in paper.lines]
    assert [row.text for row in found.rows] == shown
    assert all(run.text for row in found.rows for run in row.runs)
    assert -1 <= found.slip_at <= len(found.rows)
    assert 32 <= found.columns <= 64


def test_looks_marks_and_gaps_are_told() -> None:
    paper = StoredPaper(
        1,
        (
            StoredLine("SHOP", BOLD | WIDE | CENTRE),
            StoredLine("No: 000417", 2 << GAP_BIT),
            StoredLine(HIDDEN, MARKED),
            StoredLine(f"备注: {HIDDEN}"),
            StoredLine("TOTAL           33.90"),
        ),
        total=(4, 16, 21), number=(1, 4, 10), slip_at=5,
    )  # fmt: skip
    found = sheet(paper, ("points",), 60, 33, URL)
    assert found.rows[0].looks == ("bold", "wide", "centre")
    assert found.rows[1].gap == 2
    marks = [(run.text, run.mark) for row in found.rows for run in row.runs if run.mark]
    assert marks == [("000417", Mark.NUMBER), (HIDDEN, Mark.HIDDEN), (HIDDEN, Mark.HIDDEN), ("33.90", Mark.TOTAL)]
    assert found.slip_at == 5
    assert found.slip is not None
    assert found.slip.names == ("points",)


def test_script_on_a_paper_is_letters_and_nothing_else() -> None:
    hostile = "<script>alert(1)</script>\"'&{{7*7}}"
    (row,) = sheet(StoredPaper(1, (StoredLine(hostile),))).rows
    assert row.text == hostile
    assert set(row.looks) == set()


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:/.", min_size=1, max_size=90))
def test_the_path_has_just_the_dark_modules_of_the_code(text: str) -> None:
    path, size = qr_path(text)
    dark = set()
    for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)v1H\d+z", path):
        dark |= {(int(x) + step, int(y)) for step in range(int(run))}
    matrix = qr.claim_matrix(text)
    assert size == len(matrix)
    assert dark == {(x, y) for y, bits in enumerate(matrix) for x in range(size) if bits >> (size - 1 - x) & 1}
    assert re.fullmatch(r"(?:M\d+ \d+h\d+v1H\d+z)+", path), "nothing but numbers gets into the page"
