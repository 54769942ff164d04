"""The box's own certificate, step by step on the disk: whatever moment the power goes at, the next start goes on."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.errors import SyncError
from hw_sim.cloud.certificates import Authority
from hw_sim.cloud.enrolment import Enrolment
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Place, Registry, Shop
from sync import credentials, own_certificate
from sync.contract import CertificateAsk, CertificateGift
from sync.credentials import NEXT, OWN
from sync.own_certificate import Standing, look

DAY_S = 86_400
SEAL = "c" * 43 + "="


class Office:
    """The cloud's desk for certificates, without a broker."""

    def __init__(self, folder: Path) -> None:
        self.now = time.time()
        self.authority = Authority(folder / "tls")
        self.desk = Enrolment(Ledger(folder / "cloud.db"), self.authority, lambda: self.now)
        registry = Registry(folder)
        self.box = registry.enroll(Place("acme", "store1", "box1"), Shop(1), 1)
        self.other = registry.enroll(Place("acme", "store1", "box2"), Shop(1), 2)
        self.desk.batch("claim-november", folder / "claim")
        self.claim = folder / "claim"

    def answer(self, ask: CertificateAsk) -> CertificateGift:
        return self.desk.answer(self.box, ask)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


@pytest.fixture
def folder(tmp_path: Path, office: Office) -> Path:
    """Of a new box with a claim."""
    shutil.copytree(office.claim, tmp_path / "credentials")
    return tmp_path / "credentials"


def ask(folder: Path, box: str = "box1") -> CertificateAsk:
    return own_certificate.request(folder, box, SEAL)


def with_own(folder: Path, office: Office) -> None:
    own_certificate.accept(folder, office.answer(ask(folder)))
    own_certificate.prove(folder, NEXT)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_from_the_claim_to_a_certificate_of_its_own(folder: Path, office: Office) -> None:
    assert look(folder) == Standing(has_claim=True)
    gift = office.answer(ask(folder))
    assert gift.reason == ""
    own_certificate.accept(folder, gift)
    assert look(folder) == Standing(has_next=True, has_claim=True), "not proven: the claim stays"
    own_certificate.prove(folder, NEXT)
    assert names(folder) == {"ca.crt", "client.crt", "client.key"}, "the claim is forgotten"
    assert credentials.load(folder, tls=True).expires > office.now + 20 * DAY_S
    assert office.desk.seals == {"box1": SEAL}, "and the cloud knows what to seal with"


def test_the_key_never_leaves_the_box(folder: Path) -> None:
    made = ask(folder)
    secret = (folder / NEXT.key).read_text("ascii").splitlines()[1]
    assert secret not in made.request + made.proof + made.signature
    assert (folder / NEXT.key).stat().st_mode & 0o777 == 0o600


def test_an_answer_that_was_lost_comes_again_to_the_same_key(folder: Path, office: Office) -> None:
    first, second = office.answer(ask(folder)), office.answer(ask(folder))
    assert (first.certificate, first.id) == (second.certificate, second.id)


@pytest.mark.parametrize("cut", range(9))
def test_a_power_cut_between_any_two_steps_ends_in_a_box_with_its_certificate(
    folder: Path, office: Office, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        """Nothing runs after it."""

    left = cut

    def counting(real: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **named: object) -> object:
            nonlocal left
            if left == 0:
                left = -1
                raise PowerCut
            left -= 1
            return real(*args, **named)

        return step

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, counting(getattr(Path, name)))
    with contextlib.suppress(PowerCut):
        with_own(folder, office)
    monkeypatch.undo()
    standing = look(folder)
    if not standing.has_own:
        if not standing.has_next:
            own_certificate.accept(folder, office.answer(ask(folder)))
        own_certificate.prove(folder, NEXT)
    own_certificate.prove(folder, OWN)  # what follows any connection
    assert {path for path in names(folder) if path[0] != "."} == {"ca.crt", "client.crt", "client.key"}
    assert credentials.load(folder, tls=True).expires


def test_a_renewal_is_asked_for_with_the_certificate_in_force_and_a_new_key(folder: Path, office: Office) -> None:
    with_own(folder, office)
    before = (folder / OWN.key).read_bytes()
    own_certificate.accept(folder, office.answer(ask(folder)))
    assert (folder / OWN.key).read_bytes() == before, "what works stays until the new one is proven"
    own_certificate.prove(folder, NEXT)
    assert (folder / OWN.key).read_bytes() != before
    assert not look(folder).has_next


def test_a_certificate_that_the_broker_will_not_have_is_given_up_and_another_asked_for(
    folder: Path, office: Office
) -> None:
    with_own(folder, office)
    for _ in range(3):
        own_certificate.accept(folder, office.answer(ask(folder)))
        own_certificate.give_up(folder)
        assert (look(folder).has_own, look(folder).has_next) == (True, False)
    own_certificate.accept(folder, office.answer(ask(folder)))


# --- Refused -----------------------------------------------------------------------------------------------------


def test_a_stranger_with_a_claim_does_not_take_a_living_boxs_name(folder: Path, office: Office, tmp_path: Path) -> None:
    with_own(folder, office)
    shutil.copytree(office.claim, tmp_path / "stranger")
    gift = office.answer(ask(tmp_path / "stranger"))
    assert (gift.reason, gift.certificate) == ("taken", "")
    with pytest.raises(SyncError) as fault:
        own_certificate.accept(tmp_path / "stranger", gift)
    assert "an operator has to let it go first" in str(fault.value)
    office.desk.let_go("box1")
    assert office.answer(ask(tmp_path / "stranger")).certificate


def test_a_stolen_box_whose_name_was_let_go_does_not_renew_itself_into_it(folder: Path, office: Office) -> None:
    with_own(folder, office)
    own_certificate.accept(folder, office.answer(ask(folder)))  # its next one, which nobody has seen yet
    old = ask(folder)
    own_certificate.prove(folder, NEXT)
    office.desk.let_go("box1")
    assert office.answer(ask(folder)).reason == "proof", "before its replacement has claimed the name"
    assert office.answer(old).reason == "proof", "nor with what was heard of it before"


def test_a_claim_whose_time_is_over_or_that_was_closed_gets_nothing(folder: Path, office: Office) -> None:
    office.now += 8 * DAY_S
    assert office.answer(ask(folder)).reason == "over"
    office.now -= 8 * DAY_S
    office.desk.close("claim-november")
    assert office.answer(ask(folder)).reason == "over"


def test_a_box_that_nobody_expects_gets_nothing(folder: Path, office: Office) -> None:
    assert office.desk.answer(None, ask(folder, "box9")).reason == "unknown_box"


def test_a_claim_of_another_authority_gets_nothing(folder: Path, office: Office, tmp_path: Path) -> None:
    Authority(tmp_path / "other").furnish_claim("claim-november", folder, ends=datetime.now(UTC) + timedelta(days=1))
    assert office.answer(ask(folder)).reason == "proof"


def test_another_box_can_not_ask_in_this_ones_name(folder: Path, office: Office, tmp_path: Path) -> None:
    with_own(folder, office)
    office.authority.furnish("box2", tmp_path / "box2")
    made = ask(tmp_path / "box2", "box1")
    assert office.desk.answer(office.box, made).reason == "proof"


@pytest.mark.parametrize("field", ["request", "seal", "box", "id"])
def test_an_owned_broker_changes_nothing_of_a_request(folder: Path, office: Office, tmp_path: Path, field: str) -> None:
    import msgspec

    shutil.copytree(office.claim, tmp_path / "theirs")
    theirs = {**msgspec.to_builtins(ask(tmp_path / "theirs")), "seal": "d" * 43 + "=", "box": "box2"}
    made = msgspec.structs.replace(ask(folder), **{field: theirs[field]})
    assert office.answer(made).reason in ("proof", "request")


def test_a_certificate_to_another_key_is_none(folder: Path, office: Office, tmp_path: Path) -> None:
    shutil.copytree(office.claim, tmp_path / "theirs")
    gift = office.desk.answer(office.other, ask(tmp_path / "theirs", "box2"))
    ask(folder)
    with pytest.raises(SyncError, match="another key than ours"):
        own_certificate.accept(folder, gift)
    assert not look(folder).has_next


@settings(deadline=None, max_examples=40)  # the disk may be another's for a while
@given(raw=st.text(max_size=200))
def test_nothing_that_comes_as_a_certificate_trips_the_box(tmp_path_factory: pytest.TempPathFactory, raw: str) -> None:
    folder = tmp_path_factory.mktemp("credentials")
    with pytest.raises(SyncError):
        own_certificate.accept(folder, CertificateGift(id="x", certificate=raw))


@given(days=st.integers(0, 400), life=st.integers(1, 4000), left=st.integers(-10, 4000))
def test_a_renewal_is_due_before_the_end_and_not_in_the_first_two_thirds(days: int, life: int, left: int) -> None:
    standing = Standing(has_own=True, begins=0, expires=life * DAY_S)
    due = standing.is_ending((life - left) * DAY_S, days)
    assert due == (days > 0 and life * DAY_S // 3 > 0 and left <= min(days, life / 3))
