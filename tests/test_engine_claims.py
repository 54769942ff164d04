"""Who holds which claim, through the engine: one receipt has one claim, whatever is printed how often, where and when;
and what earns nothing gets none. Paper in, token out, as a till and a cloud would see it."""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgebox import cli
from edgebox.engine import Engine
from edgebox.line.frames import Answer, Result
from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from edgebox.orders.keys import key_text
from edgebox.private_file import write_private
from edgebox.slip_files import slip_from
from edgebox.store.events import ReceiptRecord
from hw_sim.cloud_keys import EPOCH_S, keyring
from tests.line_of_engine import (
    KEYS,
    NOW,
    PRE_BILL,
    RECEIPT,
    REPRINT,
    RESETTLED,
    FakeLine,
    recorded,
    recorded_claims,
    running,
)

DAY = 86_400
CASH = b"CASH            50.00\nCHANGE          16.10\n"
MASTER = b"m" * 32


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


async def on_paper(engine: Engine, *papers: bytes, lane: str = "line1", result: Result = Result.INSERTED) -> list[str]:
    """What was printed, one after the other on one lane: URLs, "" for none."""
    session = lane.encode().ljust(8, b"\x01")[:8]
    line = await FakeLine.connect(engine, lane, session)
    first = sum(document.session == session.hex() for document in recorded_now(engine)) + 1
    found = []
    for number, raw in enumerate(papers, first):
        found.append((await line.print_receipt(number, raw, result)).ref.decode("ascii"))
    await line.leave(engine)
    return found


def recorded_now(engine: Engine) -> list[ReceiptRecord]:
    return recorded(Path(engine.config.engine.data).parent)


def printed(folder: Path, *papers: bytes, settings: tuple[str, ...] = (), **how: object) -> list[str]:
    """One run of the engine."""

    async def play() -> list[str]:
        async with running(folder, *settings, **how) as engine:  # type: ignore[arg-type]
            return await on_paper(engine, *papers)

    return asyncio.run(play())


def claim_of(url: str, keys: Keyring = KEYS, now: int = NOW) -> claims.Claim:
    return claims.verify(url, keys, now).claim


def dated(raw: bytes, day: str, clock: str = "18:42:07") -> bytes:
    return raw.replace(b"2026-11-18 18:42:07", f"{day} {clock}".encode())


def paid(minor: int, number: int = 417, tender: bytes = b"CARD") -> bytes:
    amount = b"%d.%02d" % divmod(minor, 100)
    return (
        b"CORNER SHOP\nReceipt No: %06d\n2026-11-18 19:06:40\nMILK            " % number
        + amount
        + b"\nTOTAL           "
        + amount
        + b"\n"
        + tender
        + b"            "
        + amount
        + b"\n\n\n"
    )


def rules(folder: Path, text: str, currency: str = "CNY") -> str:
    tier = "" if "[[tier]]" in text else '[[tier]]\nid = "base"\nspend_per_point = 100\n'
    (folder / "rules.toml").write_text(f'rev = 1\ncurrency = "{currency}"\n' + text + tier)
    return f"points.rules={folder}/rules.toml"


# --- One receipt, one claim ---------------------------------------------------------------------------------------


def test_a_reprint_next_day_on_the_other_lane_and_after_a_key_change_is_the_stored_token(folder: Path) -> None:
    [first] = printed(folder, RECEIPT)
    later = NOW + DAY
    new_keys = keyring(MASTER, 4711, 12, NOW + EPOCH_S)
    assert new_keys.epochs[-1] != KEYS.epochs[-1]

    async def next_day() -> list[str]:
        async with running(folder, keys=new_keys, now=later) as engine:
            return await on_paper(engine, REPRINT, lane="line2")

    assert asyncio.run(next_day()) == [first]
    assert [(one.claim, one.url) for one in recorded(folder)] == [(claim_of(first).claim_id.hex(), first)] * 2


def test_a_month_of_key_changes_leaves_the_id_as_it_is(folder: Path) -> None:
    ids = set()
    for week in range(5):
        keys = keyring(MASTER, 4711, 12, NOW + week * EPOCH_S)
        with tempfile.TemporaryDirectory(prefix="eb") as fresh:
            [url] = printed(Path(fresh), RECEIPT, keys=keys, now=NOW + week * EPOCH_S)
        ids.add(claim_of(url, keys, NOW + week * EPOCH_S).claim_id)
    assert len(ids) == 1


def test_two_tills_with_one_number_have_two_claims_where_numbers_are_the_tills(folder: Path) -> None:
    one = RECEIPT.replace(b"CORNER SHOP\n", b"CORNER SHOP\nTill: 1\n")
    two = RECEIPT.replace(b"CORNER SHOP\n", b"CORNER SHOP\nTill: 2\n")
    urls = printed(folder, one, two, one, settings=("till.number_scope=till",))
    ids = [claim_of(url).claim_id for url in urls]
    assert ids[0] != ids[1]
    assert (ids[0], urls[0]) == (ids[2], urls[2])
    assert [record.till for record in recorded(folder)] == ["1", "2", "1"]


def test_where_numbers_are_the_stores_the_till_does_not_matter(folder: Path) -> None:
    one = RECEIPT.replace(b"CORNER SHOP\n", b"CORNER SHOP\nTill: 1\n")
    two = RECEIPT.replace(b"CORNER SHOP\n", b"CORNER SHOP\nTill: 2\n")
    first, second = printed(folder, one, two)
    assert first == second


def test_a_counter_that_begins_anew_every_day_gives_each_day_its_claims(folder: Path) -> None:
    urls = printed(folder, RECEIPT, dated(RECEIPT, "2026-11-19"), dated(RECEIPT, "2026-11-20"))
    assert len({claim_of(url).claim_id for url in urls}) == 3


def test_midnight_between_receipt_and_reprint_changes_nothing_for_the_date_is_the_papers(folder: Path) -> None:
    late = dated(RECEIPT, "2026-11-18", "23:59:50")
    midnight = int(datetime(2026, 11, 18, 16, tzinfo=UTC).timestamp())  # in Shanghai
    [before] = printed(folder, late, now=midnight - 5)
    [after] = printed(folder, b"*** REPRINT ***\n" + late, now=midnight + 30)
    assert before == after


def test_a_bill_settled_again_has_the_next_revision_and_the_one_before_is_told_from_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = printed(folder, RECEIPT, RESETTLED)
    assert claim_of(first).claim_id == claim_of(second).claim_id
    assert [(claim_of(url).revision, claim_of(url).amount_minor) for url in (first, second)] == [(0, 3390), (1, 2390)]
    assert verdict(folder, first, capsys).startswith("refused: revision: revision 0, but 1 was given out")
    assert verdict(folder, second, capsys) == "good"


def verdict(folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `edgebox claim verify` says, with the machine's clock: tokens of these plays are not out of time."""
    write_private(folder / "keys.toml", key_text(KEYS).encode("ascii"))
    years = "--hours=1000000"
    cli.main(["claim", "verify", url, "--keys", f"{folder}/keys.toml", "--data", f"{folder}/data", years])
    out = capsys.readouterr()
    return (out.out + out.err).splitlines()[0]


def test_a_claim_whose_slip_was_late_is_void_and_nobody_takes_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play() -> list[str]:
        async with running(folder) as engine:
            return await on_paper(engine, RECEIPT, result=Result.LATE)

    [late] = asyncio.run(play())
    assert recorded(folder)[0].voided
    assert verdict(folder, late, capsys).startswith("refused: void: ")


def test_the_sixteenth_revision_is_refused_and_the_bill_is_recorded(folder: Path) -> None:
    bills = [paid(3390 + cents) for cents in range(17)]
    urls = printed(folder, *bills)
    assert [claim_of(url).revision for url in urls[:16]] == list(range(16))
    assert urls[16:] == [""]
    last = recorded(folder)[-1]
    assert (last.amount_minor, last.claim, last.points, last.why) == (3406, "", 0, "revision")


def test_an_amount_on_a_claim_is_what_the_box_recorded_to_the_cent(folder: Path) -> None:
    urls = printed(folder, *(paid(minor, number) for number, minor in enumerate((100, 101, 3390, 99_999, 100_000), 1)))
    assert [claim_of(url).amount_minor for url in urls] == [record.amount_minor for record in recorded(folder)]


# --- What earns and what does not ---------------------------------------------------------------------------------

NO_CLAIM = {
    "wechat": RECEIPT.replace(CASH, b"WECHAT PAY      33.90\n"),
    "refund": b"*** REFUND ***\n" + RECEIPT,
    "void": b"*** VOID ***\n" + RECEIPT,
    "kitchen": b"KITCHEN\nTable A12\n2 x NOODLES\n1 x TEA\n",
    "pre-bill": PRE_BILL,
    "report": b"Z REPORT\n2026-11-18 22:00:00\nSales  12   406.80\nTOTAL          406.80\n",
    "training": b"*** TRAINING MODE ***\n" + RECEIPT,
    "top-up": b"CORNER SHOP\nMEMBER TOP-UP\nReceipt No: 000417\n2026-11-18 18:42:07\nTOTAL 100.00\nCASH 100.00\n",
}


@pytest.mark.parametrize("how", [{"shadow": True}, {"when": {"min_minor": 100_000}}], ids=["shadow", "not due"])
def test_a_claim_whose_slip_is_not_among_those_printed_is_none(folder: Path, how: dict[str, object]) -> None:
    """Another slip went out; it must not be taken for the claim's."""
    points = {"name": "points", "purpose": "claim", "block": [{"type": "qr", "data": "{url}"}], **how}
    wifi = {"name": "wifi", "purpose": "link", "block": [{"type": "text", "text": "hello"}]}

    async def play() -> list[str]:
        async with running(folder, "slip.show=points,wifi") as engine:
            engine.decisions.use_slips([slip_from(points, "s"), slip_from(wifi, "s")])
            return await on_paper(engine, RECEIPT)

    assert asyncio.run(play()) == [""]
    [record] = recorded(folder)
    assert (record.slips, record.claim, record.voided) == (("wifi",), "", False)
    assert record.why
    assert recorded_claims(folder) == []


@pytest.mark.parametrize("name", NO_CLAIM)
def test_what_is_no_paid_sale_gets_no_claim_and_the_record_says_what_it_is(folder: Path, name: str) -> None:
    assert printed(folder, NO_CLAIM[name]) == [""]
    [record] = recorded(folder)
    assert (record.claim, record.points, record.slips) == ("", 0, ())
    assert record.why
    assert record.kind != "sale" or name == "wechat"


def test_paid_by_wechat_in_whole_or_in_part_earns_nothing_and_the_record_says_why(folder: Path) -> None:
    split = RECEIPT.replace(CASH, b"WECHAT PAY      20.00\nCASH            13.90\n")
    assert printed(folder, NO_CLAIM["wechat"], split) == ["", ""]
    assert [record.why for record in recorded(folder)] == ["wechat earns elsewhere"] * 2


def test_an_unknown_way_of_paying_is_pending_in_the_record_and_in_the_token(folder: Path) -> None:
    unknown = RECEIPT.replace(CASH, b"ZORKPAY         33.90\n")
    [url] = printed(folder, unknown, settings=("till.prints_after_payment=true",))
    assert not claim_of(url).tender_known
    assert recorded(folder)[0].pending


# --- To the cent, to the minute ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("minor", "earns"), [(1999, False), (2000, True), (2001, True)])
def test_the_least_that_earns_is_exact(folder: Path, minor: int, earns: bool) -> None:
    text = "[qualify]\nmin_spend = 2000\n"
    assert [url != "" for url in printed(folder, paid(minor), settings=(rules(folder, text),))] == [earns]
    assert recorded(folder)[0].points == (minor // 100 if earns else 0)


@pytest.mark.parametrize(("minor", "points"), [(4999, 49), (5000, 50), (5001, 0)])
def test_more_than_the_most_that_earns_is_for_a_person_to_look_at(folder: Path, minor: int, points: int) -> None:
    text = "[qualify]\nmax_spend = 5000\n"
    printed(folder, paid(minor), settings=(rules(folder, text),))
    [record] = recorded(folder)
    assert (record.points, record.flagged) == (points, points == 0)


@pytest.mark.parametrize(("minor", "points"), [(9999, 99), (10_000, 200), (10_001, 200)])
def test_a_campaign_begins_at_its_amount(folder: Path, minor: int, points: int) -> None:
    text = '[[campaign]]\nid = "big"\nmultiply_pct = 200\nmin_spend = 10000\n'
    printed(folder, paid(minor), settings=(rules(folder, text),))
    assert recorded(folder)[0].points == points


@pytest.mark.parametrize(("minor", "need"), [(4999, b"0.01"), (4900, b"1.00"), (5000, b""), (5001, b"")])
def test_a_promotion_says_what_is_missing_to_the_cent(folder: Path, minor: int, need: bytes) -> None:
    block = [{"type": "text", "text": "spend {need} more for a tea"}]
    promotion = {"name": "promotion", "purpose": "promotion", "threshold_minor": 5000, "block": block}

    async def play() -> Answer:
        async with running(folder, "slip.show=points,promotion", "slip.languages=en") as engine:
            engine.decisions.use_slips([slip_from(promotion, "s")])
            return await (await FakeLine.connect(engine)).print_receipt(1, paid(minor))

    body = asyncio.run(play()).body
    assert (b"spend " + need + b" CNY more" in body) if need else (b"more for a tea" not in body)


HAPPY = 'tz = "{zone}"\n[[campaign]]\nid = "happy"\nmultiply_pct = 200\nwhen = {{ from = "{start}", to = "{end}" }}\n'


@pytest.mark.parametrize(("clock", "points"), [("18:59:59", 33), ("19:00:00", 67), ("19:59:59", 67), ("20:00:00", 33)])
def test_a_window_holds_from_its_first_second_to_its_last(folder: Path, clock: str, points: int) -> None:
    at = int(datetime.fromisoformat(f"2026-11-18T{clock}+08:00").timestamp())
    text = HAPPY.format(zone="Asia/Shanghai", start="19:00", end="20:00")
    printed(folder, dated(RECEIPT, "2026-11-18", clock), settings=(rules(folder, text),), now=at)
    assert recorded(folder)[0].points == points


@pytest.mark.parametrize(
    ("clock", "points"), [("21:59", 33), ("22:00", 67), ("23:59", 67), ("00:00", 67), ("01:59", 67), ("02:00", 33)]
)
def test_a_window_goes_on_over_midnight(folder: Path, clock: str, points: int) -> None:
    day = "2026-11-19" if clock < "12" else "2026-11-18"
    at = int(datetime.fromisoformat(f"{day}T{clock}:00+08:00").timestamp())
    text = HAPPY.format(zone="Asia/Shanghai", start="22:00", end="02:00")
    printed(folder, dated(RECEIPT, day, clock + ":00"), settings=(rules(folder, text),), now=at)
    assert recorded(folder)[0].points == points


BERLIN = {
    # Clocks go back on 2026-10-25 at 03:00 summer time: the hour from 02:00 comes twice.
    "summer, before": ("2026-10-25T01:59:00+02:00", 33),
    "twice: the first": ("2026-10-25T02:30:00+02:00", 67),
    "twice: the second": ("2026-10-25T02:30:00+01:00", 67),
    "winter, after": ("2026-10-25T03:00:00+01:00", 33),
    # They go forward on 2027-03-28 at 02:00: the hour does not come.
    "spring, before": ("2027-03-28T01:59:00+01:00", 33),
    "spring, after": ("2027-03-28T03:00:00+02:00", 33),
}


@pytest.mark.parametrize("name", BERLIN)
def test_in_berlin_the_hour_that_comes_twice_counts_twice_and_the_lost_one_never(folder: Path, name: str) -> None:
    instant, points = BERLIN[name]
    moment = datetime.fromisoformat(instant)
    at = int(moment.timestamp())
    text = HAPPY.format(zone="Europe/Berlin", start="02:00", end="03:00")
    shop = ("shop.currency=EUR", "shop.tz=Europe/Berlin", rules(folder, text, "EUR"))
    raw = dated(RECEIPT, moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S"))
    printed(folder, raw, settings=shop, now=at, keys=keyring(MASTER, 4711, 12, at))
    assert recorded(folder)[0].points == points


@pytest.mark.parametrize("wrong", [NOW - 400 * DAY, 3600], ids=["a year back", "1970"])
def test_a_wrong_clock_gives_no_happy_hour_and_a_claim_that_says_so(folder: Path, wrong: int) -> None:
    text = HAPPY.format(zone="Asia/Shanghai", start="00:00", end="24:00")

    async def play() -> list[str]:
        async with running(folder, rules(folder, text), now=wrong) as engine:
            engine.decisions._synced = lambda: False
            return await on_paper(engine, RECEIPT)

    [url] = asyncio.run(play())
    claim = claim_of(url)
    assert (claim.amount_minor, claim.clock_trusted) == (3390, False)
    assert recorded(folder)[0].points == 33
    assert claims.verify(url, KEYS, NOW).expires_at is None
