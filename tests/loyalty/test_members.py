"""The members' table: found, not found, too old, and no bytes that break it."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import ClaimError
from edgebox.loyalty.members import NONE, ROW_BYTES, Member, Members, pack

TIERS, SEGMENTS = ("base", "gold"), ("new", "at-risk", "champion")
AS_OF, AGE = 1_795_000_000, 86_400


def hashed(number: int) -> str:
    return hmac.digest(b"key", str(number).encode(), "sha256").hex()


def table(rows: bytes, as_of: int = AS_OF) -> Members:
    return Members(rows, TIERS, SEGMENTS, as_of, AGE)


def test_each_of_ten_thousand_members_is_found_and_nobody_else() -> None:
    members = table(pack((hashed(n), n % 2, n % 3, n * 50) for n in range(10_000)))
    assert len(members) == 10_000
    for n in range(0, 10_000, 37):
        found = members.find(hashed(n), AS_OF)
        assert found == Member(TIERS[n % 2], SEGMENTS[n % 3], n * 50 // 100 * 100, AS_OF)
    assert all(members.find(hashed(n), AS_OF) is None for n in range(10_000, 10_500))


def test_two_hundred_thousand_members_are_two_and_a_half_megabytes() -> None:
    rows = b"".join(n.to_bytes(8, "big") + b"\x00\x00\x00\x01" for n in range(1, 200_001))
    members = table(rows)
    assert len(rows) == 2_400_000
    assert members.find((200_000).to_bytes(8, "big").hex(), AS_OF) == Member("base", "new", 100, AS_OF)


@pytest.mark.parametrize(
    ("now", "known"), [(AS_OF, True), (AS_OF + AGE, True), (AS_OF + AGE + 1, False), (AS_OF - 1, False)]
)
def test_a_table_that_is_too_old_or_from_the_future_knows_nobody(now: int, known: bool) -> None:
    members = table(pack([(hashed(1), 1, NONE, 70_000_00)]))
    assert (members.find(hashed(1), now) is not None) == known
    assert members.find(hashed(1), AS_OF, clock_trusted=False) is None


def test_more_points_than_a_row_can_hold_are_at_least_so_many() -> None:
    found = table(pack([(hashed(1), NONE, NONE, 10**9)])).find(hashed(1), AS_OF)
    assert found == Member("", "", 6_553_500, AS_OF)


@pytest.mark.parametrize("member", ["", "zz", "00", "0" * 15])
def test_what_is_no_hash_is_nobody(member: str) -> None:
    assert table(pack([(hashed(1), 0, 0, 0)])).find(member, AS_OF) is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (b"x" * 13, "13 bytes"),
        (b"\2" * 8 + b"\0" * 4 + b"\1" * 8 + b"\0" * 4, "row 2 is not in order"),
        (b"\1" * 8 + b"\0\0\0\0" + b"\1" * 8 + b"\0\0\0\0", "row 2 is not in order"),
        (b"\1" * 8 + b"\2\0\0\0", "row 1 has a tier"),
        (b"\1" * 8 + b"\0\3\0\0", "row 1 has a tier"),
    ],
)
def test_bytes_that_are_no_table_are_refused_with_a_reason(rows: bytes, said: str) -> None:
    with pytest.raises(ClaimError, match=said) as caught:
        table(rows)
    assert caught.value.reason == "members"


@given(st.binary(max_size=400), st.text(max_size=40))
def test_no_bytes_and_no_name_do_harm(rows: bytes, member: str) -> None:
    try:
        members = table(rows)
    except ClaimError:
        return
    members.find(member, AS_OF)
    for at in range(0, len(rows), ROW_BYTES):
        assert members.find(rows[at : at + 8].hex(), AS_OF) is not None
