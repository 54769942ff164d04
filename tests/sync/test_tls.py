"""TLS against a real mosquitto: who gets in, who does not, and what the box says about it."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgebox.store.events import Stream
from hw_sim.cloud.broker import Broker
from sync.credentials import CA
from tests.sync.box import running
from tests.sync.broker import Collector, mosquitto, needs_mosquitto, until
from tests.sync.certificates import Authority
from tests.sync.websocket import websocket_to

pytestmark = needs_mosquitto


@contextmanager
def tls_broker(folder: Path, authority: Authority, *extra: str) -> Iterator[Broker]:
    """A mosquitto that shows `server` and trusts the authority."""
    own = folder / "broker"
    own.mkdir(parents=True, exist_ok=True)
    (own / "ca.crt").write_bytes(authority.certificate)
    files = [f"cafile {own / 'ca.crt'}", f"certfile {own / 'server.crt'}", f"keyfile {own / 'server.key'}"]
    with mosquitto(own, *files, *extra) as broker:
        yield broker


def trust(folder: Path, authority: Authority) -> Path:
    """The box's credentials: the authority."""
    own = folder / "credentials"
    own.mkdir(exist_ok=True)
    (own / CA).write_bytes(authority.certificate)
    return own


def test_with_certificates_on_both_sides_rows_go_out(tmp_path: Path) -> None:
    async def story() -> None:
        authority = Authority()
        authority.issue(tmp_path / "broker", "server", last_day=20)
        authority.issue(trust(tmp_path, authority), "client", last_day=40)
        with tls_broker(tmp_path, authority, "require_certificate true", "tls_version tlsv1.2") as broker:
            async with running(f"mqtts://localhost:{broker.port}", tmp_path, ack="broker") as box:
                await box.receipts(3)
                await box.sightings(3000)
                await box.marks(3)
                health = box.uplink.health()
                assert health["sync"] == "ok"
                assert health["client certificate"] == "good for 39 days"
                assert health["broker certificate"] == "expires in 19 days"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("server", "reason", "words"),
    [
        ({"first_day": -9, "last_day": -1}, "certificate", "certificate has expired"),
        ({"first_day": 1}, "clock", "is the box's clock right?"),
        ({"host": "elsewhere.example"}, "certificate", "Hostname mismatch"),
    ],
)
def test_a_broker_with_a_wrong_certificate_gets_nothing(
    tmp_path: Path, server: dict[str, object], reason: str, words: str
) -> None:
    async def story() -> None:
        authority = Authority()
        authority.issue(tmp_path / "broker", "server", **server)  # type: ignore[arg-type]
        trust(tmp_path, authority)
        with tls_broker(tmp_path, authority) as broker:
            async with running(f"mqtts://localhost:{broker.port}", tmp_path) as box:
                await box.receipts(1)
                await until(lambda: box.uplink.counters[f"failed {reason}"] >= 1)
                assert words in box.uplink.health()["sync"]
                assert box.uplink.counters["connections"] == 0

    asyncio.run(story())


def test_a_broker_of_an_authority_that_is_not_ours_gets_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        theirs = Authority()
        theirs.issue(tmp_path / "broker", "server")
        trust(tmp_path, Authority())
        with tls_broker(tmp_path, theirs) as broker:
            async with running(f"mqtts://localhost:{broker.port}", tmp_path) as box:
                await until(lambda: box.uplink.counters["failed certificate"] >= 1)
                assert box.uplink.counters["connections"] == 0

    asyncio.run(story())


def test_a_box_whose_certificate_has_expired_is_refused_and_says_so_and_a_new_one_is_taken_without_a_restart(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        authority = Authority()
        authority.issue(tmp_path / "broker", "server")
        own = trust(tmp_path, authority)
        authority.issue(own, "client", first_day=-9, last_day=-1)
        with tls_broker(tmp_path, authority, "require_certificate true") as broker:
            async with running(f"mqtts://localhost:{broker.port}", tmp_path, ack="broker") as box:
                await box.receipts(1)
                await until(lambda: sum(v for k, v in box.uplink.counters.items() if k.startswith("failed")) >= 1)
                assert box.uplink.health()["client certificate"] == "expired"
                assert box.uplink.counters["connections"] == 0
                authority.issue(own, "client")
                await until(lambda: box.uplink.is_connected)
                await box.marks(1)

    asyncio.run(story())


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
def test_rows_go_out_over_a_websocket(tmp_path: Path, tls: bool) -> None:
    async def story() -> None:
        authority, context = Authority(), None
        if tls:
            authority.issue(tmp_path, "server")
            trust(tmp_path, authority)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
        with mosquitto(tmp_path / "broker", "max_queued_messages 0") as broker:
            cloud = Collector(broker.port)
            async with websocket_to(broker.port, context) as port:
                url = f"{'wss' if tls else 'ws'}://localhost:{port}/mqtt"
                async with running(url, tmp_path) as box:
                    await box.receipts(5)
                    await box.sightings(3000)
                    await box.marks(5)
                    await box.marks(3000, Stream.VISITS)
                    assert ("broker certificate" in box.uplink.health()) == tls
            cloud.close()
            assert cloud.repeats == 0

    asyncio.run(story())
