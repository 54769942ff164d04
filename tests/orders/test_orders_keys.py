"""Claim keys and certificates from the fleet: in force, and nowhere to be read but in their own files."""

import asyncio
import datetime
import logging
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edgebox import overlay
from edgebox.errors import OrderError
from edgebox.keys import load_keys
from edgebox.loyalty.claims import parse
from edgebox.loyalty.keyring import Keyring
from edgebox.orders.keys import EpochGift, KeysGift, key_text, merged, without
from edgebox.sealed import is_proven
from hw_sim.cloud_keys import key_file, keyring
from sync.contract import Reply
from tests.box_of_orders import Box, box
from tests.line_of_engine import verified
from tests.sync.fleet import NOW

DAY = 86400
LATER = NOW + 28 * DAY


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def shown(reply: Reply) -> tuple[str, str]:
    return reply.state.value, reply.reason


def gift(keys: Keyring, **other: Any) -> KeysGift:
    epochs = tuple(EpochGift(index=e.index, valid_from=e.valid_from, key=e.key.hex()) for e in keys.epochs)
    given = {"store": keys.store, "device": keys.device, "prefix": keys.prefix, "until": keys.until, **other}
    return KeysGift(**{"id_key": keys.id_key.hex(), "epochs": epochs, **given})


def refusal(current: Keyring | None, given: KeysGift) -> str:
    with pytest.raises(OrderError) as refused:
        merged(current, given, NOW)
    return refused.value.reason


OLD = keyring(b"m" * 32, 4711, 12, NOW)
NEW = keyring(b"m" * 32, 4711, 12, LATER)


def test_new_epochs_overlap_the_old_ones_and_follow_them() -> None:
    keys = merged(OLD, gift(NEW), NOW)
    assert {epoch.index for epoch in keys.epochs} == {epoch.index for epoch in (*OLD.epochs, *NEW.epochs)}
    assert (keys.until, keys.days_left(NOW) > 60) == (NEW.until, True)
    assert merged(keys, gift(OLD), NOW) == keys
    assert merged(None, gift(OLD), NOW) == OLD


def test_epochs_long_over_are_left_out() -> None:
    much_later = NOW + 400 * DAY
    keys = keyring(b"m" * 32, 4711, 12, much_later)
    assert merged(OLD, gift(keys), much_later) == keys
    assert refusal(OLD, gift(keys)) == "epochs"  # too early: there would be a gap
    years = keyring(b"m" * 32, 4711, 12, NOW, days=400)
    assert merged(years, gift(keys), much_later).epochs[0].valid_from > much_later - 60 * DAY


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (gift(keyring(b"x" * 32, 4711, 12, LATER)), "other_keys"),
        (gift(NEW, device=13), "other_keys"),
        (gift(NEW, store=4712), "other_keys"),
        (gift(OLD, epochs=(EpochGift(index=OLD.epochs[0].index, valid_from=0, key="ab" * 32),)), "epoch_conflict"),
        (gift(NEW, epochs=(EpochGift(index=9, valid_from=LATER, key="ab" * 32),)), "epochs"),
        (gift(NEW, epochs=(EpochGift(index=9, valid_from=NOW, key="ab" * 32),) * 2), "epochs"),
        (gift(NEW, until=0, epochs=(EpochGift(index=99999, valid_from=OLD.until, key="ab" * 32),)), "epochs"),
    ],
)
def test_keys_that_do_not_fit_are_refused(given: KeysGift, reason: str) -> None:
    assert refusal(OLD, given) == reason


def test_what_is_revoked_is_not_followed_by_what_is_over() -> None:
    first, second, third, *_, last = OLD.epochs
    in_second = second.valid_from + 5
    assert without(OLD, frozenset([first.index]), NOW).epochs == OLD.epochs[1:]
    assert without(OLD, frozenset([second.index]), in_second).epochs == OLD.epochs[2:]
    ended = without(OLD, frozenset([third.index]), NOW)
    assert (ended.epochs, ended.until) == ((first, second), third.valid_from)
    for revoked in ([last.index + 1], [first.index, third.index, 0]):
        with pytest.raises(OrderError, match="no epoch"):
            without(OLD, frozenset(revoked), NOW)
    with pytest.raises(OrderError, match="no keys would be left"):
        without(OLD, frozenset(epoch.index for epoch in OLD.epochs), NOW)


def test_the_key_file_is_written_as_the_clouds_tool_writes_it() -> None:
    assert key_text(OLD) == key_file(OLD)


async def nowhere(shop: Box, folder: Path, *secrets: str) -> None:
    """No secret in database, overlay, log, replies or reports."""
    everything = b"".join(
        path.read_bytes() for path in (folder / "data").glob("*") if path.is_file() and path.name != "keys.toml"
    )
    everything += msgspec.json.encode(shop.way.replies) + msgspec.json.encode(shop.way.reported)
    everything += "\n".join(shop.tail.newest(999)).encode()
    for secret in secrets:
        assert secret.encode() not in everything
        assert secret.upper().encode() not in everything


def test_keys_come_sealed_are_in_force_at_once_and_stand_in_no_other_place(folder: Path) -> None:
    new = keyring(b"m" * 32, 4711, 12, LATER)
    secrets = [epoch.key.hex() for epoch in new.epochs] + [new.id_key.hex()]

    async def play() -> None:
        async with box(folder) as shop:
            logging.getLogger().addHandler(shop.tail)
            try:
                proof_before = shop.orders.seal()
                reply = await shop.give("keys.add", shop.sealed(msgspec.json.encode(gift(new)), "keys.add"))
            finally:
                logging.getLogger().removeHandler(shop.tail)
            assert shown(reply) == ("succeeded", "")
            assert reply.result["days_left"] == new.days_left(NOW)
            assert new.epochs[-1].index in reply.result["epochs"]
            assert shop.engine.awards.keys == load_keys(folder / "keys.toml")
            assert stat.S_IMODE((folder / "keys.toml").stat().st_mode) == 0o600
            public, proof = shop.orders.seal()
            assert public == proof_before[0]
            assert is_proven(public, proof, "b1", {epoch.index: epoch.key for epoch in new.epochs})
            assert shop.way.reported[-1].seal_proof == proof
            line = await shop.line()
            assert verified(await line.print_receipt(1)).amount_minor == 3390
            await nowhere(shop, folder, *secrets)
        await nowhere(shop, folder, *secrets)

    asyncio.run(play())


def test_bad_keys_change_nothing_and_are_quoted_nowhere(folder: Path) -> None:
    short = keyring(b"m" * 32, 4711, 12, NOW, days=5)
    other = keyring(b"z" * 32, 4711, 12, LATER)
    texts = [
        (msgspec.json.encode(gift(other)), "other_keys"),
        (b'{"id_key": "' + other.id_key.hex().encode() + b'"}', "bad_sealed"),
        (b"[" * 20000, "bad_sealed"),
    ]

    async def play() -> None:
        async with box(folder) as shop:
            for text, reason in texts:
                assert shown(await shop.give("keys.add", shop.sealed(text, "keys.add"))) == ("failed", reason)
            wrong = shop.sealed(msgspec.json.encode(gift(other)), "tls.set")
            assert shown(await shop.give("keys.add", wrong)) == ("failed", "sealed")
            (folder / "keys.toml").unlink()
            raw = shop.sealed(msgspec.json.encode(gift(short)), "keys.add")
            assert shown(await shop.give("keys.add", raw)) == ("failed", "too_short")
            assert not (folder / "keys.toml").exists()
            await nowhere(shop, folder, other.id_key.hex())

    asyncio.run(play())


def test_an_epoch_is_revoked_and_signed_with_no_more(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            keys = shop.engine.awards.keys
            assert keys is not None
            reply = await shop.give("keys.revoke", {"epochs": [keys.epochs[0].index]})
            assert shown(reply) == ("succeeded", "")
            line = await shop.line()
            claim = parse((await line.print_receipt(1)).ref.decode()).claim
            assert (claim.epoch, claim.clock_trusted) == (keys.epochs[1].number, False)
            assert load_keys(folder / "keys.toml").epochs == keys.epochs[1:]

    asyncio.run(play())


def test_the_first_keys_of_a_box_go_to_the_data_folder_where_etc_names_another(folder: Path) -> None:
    new = keyring(b"m" * 32, 4711, 12, NOW)

    async def play() -> None:
        async with box(folder, "claims.keys=/etc/edgebox/none.toml", keys=False) as shop:
            shop.engine.awards.keys = None
            raw = shop.sealed(msgspec.json.encode(gift(new)), "keys.add")
            assert shown(await shop.give("keys.add", raw)) == ("succeeded", "")
            assert load_keys(folder / "data" / "keys.toml") == new
            path = str(folder / "data" / "keys.toml")
            assert overlay.read(folder / "data").layers.box == {"claims.keys": path}

    asyncio.run(play())


# -- certificates


def pem(days: int = 90) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "b1")])
    begin = datetime.datetime.fromtimestamp(NOW - DAY, datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def are_private(credentials: Path) -> None:
    assert (credentials / "password").read_text("ascii") == "open sesame"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in credentials.iterdir()} == {0o600}


def test_a_certificate_is_tried_and_taken_back_if_the_cloud_cannot_be_reached_with_it(folder: Path) -> None:
    certificate, key = pem()
    text = msgspec.json.encode({"ca": certificate, "certificate": certificate, "key": key, "password": "open sesame"})
    body = key.splitlines()[1]

    async def play() -> None:
        for works in (True, False):
            async with box(folder) as shop:
                job = f"tls-{works}"
                before = shop.engine.config.sync.credentials
                await shop.begin("tls.set", shop.sealed(text, "tls.set"), id=job)
                await shop.until(lambda shop=shop: shop.restarts == 1)  # type: ignore[misc]
                await nowhere(shop, folder, body, "open sesame")
            async with box(folder) as trial:
                are_private(Path(trial.engine.config.sync.credentials))
                if works:
                    assert shown(await trial.end(job)) == ("succeeded", "")
                    continue
                trial.way.is_connected = False
                await trial.until(lambda trial=trial: trial.restarts == 1)  # type: ignore[misc]
            async with box(folder) as after:
                assert after.engine.config.sync.credentials == before
                assert shown(await after.end(job)) == ("failed", "rolled_back")
                await nowhere(after, folder, body, "open sesame")

    asyncio.run(play())


def test_a_certificate_without_its_key_or_out_of_date_is_refused(folder: Path) -> None:
    (good, key), (_, other), (old, old_key) = pem(), pem(), pem(days=1)
    gifts = [
        {"certificate": good, "key": other},
        {"certificate": old, "key": old_key},
        {"certificate": "no PEM", "key": key},
        {"ca": "no PEM"},
    ]

    async def play() -> None:
        async with box(folder) as shop:
            for given in gifts:
                raw = shop.sealed(msgspec.json.encode(given), "tls.set")
                assert shown(await shop.give("tls.set", raw)) == ("failed", "credentials")
            assert list((folder / "data").glob("credentials-*")) == []
            assert shop.restarts == 0

    asyncio.run(play())
