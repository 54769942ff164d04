"""What goes out is what the contract says, byte for byte readable, and nothing is left out on the way."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sync.contract import Batch
from sync.session.batches import BatchWriter
from tests.sync.journal import EPOCH, Row

TEXT = st.text(max_size=20)
BODIES = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(-(2**50), 2**50), st.none()), max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
)


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[Row], tuple[int, int]]:
    first = seq = draw(st.integers(1, 10**12))
    found = []
    for _ in range(draw(st.integers(1, 12))):
        seq += draw(st.integers(0, 2))  # numbers the store hasn't got
        to = seq + draw(st.integers(0, 5)) if draw(st.booleans()) else 0
        found.append(
            Row(
                *("receipts", EPOCH, seq, draw(TEXT), draw(st.integers(0, 2**50)), draw(st.integers(0, 2**50))),
                *(draw(st.booleans()), b"" if to else draw(BODIES), to, draw(TEXT.filter(bool)) if to else ""),
            )
        )
        seq = max(seq, to) + 1
    return found, (first, seq - 1)


@given(rows(), st.integers(1, 20), st.integers(200, 3000), TEXT)
def test_every_row_goes_out_once_and_numbers_have_no_gap(
    made: tuple[list[Row], tuple[int, int]], rows_max: int, bytes_max: int, box: str
) -> None:
    given_rows, span = made
    parts = list(BatchWriter(box).parts("receipts", given_rows, span, rows_max=rows_max, bytes_max=bytes_max))
    due, bodies = span[0], []
    for part in parts:
        batch = msgspec.json.decode(part.payload, type=Batch)
        assert (batch.box, batch.epoch, batch.stream) == (box, EPOCH, "receipts")
        assert part.first == batch.rows[0].seq == due
        assert part.rows <= rows_max
        assert len(part.payload) <= bytes_max or part.rows == 1
        for row in batch.rows:
            assert row.seq == due, "a gap in the numbers"
            due = max(row.seq, row.to) + 1
            bodies += [] if row.lost else [(row.seq, bytes(row.event), row.boot, row.mono_ms, row.at_ms, row.trusted)]
        assert part.last == due - 1
    assert due == span[1] + 1
    assert bodies == [(r.seq, r.body, r.boot, r.mono_ms, r.at_ms, r.trusted) for r in given_rows if not r.lost]


def test_what_the_store_has_nothing_of_is_declared_lost() -> None:
    batch = msgspec.json.decode(BatchWriter("box1").gone("scans", EPOCH, (5, 9)).payload, type=Batch)
    assert [(row.seq, row.to, row.lost) for row in batch.rows] == [(5, 9, "missing")]
