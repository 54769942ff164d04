"""The merchant's own certificate, brought in on the page: in force at once, kept private, and never instead of none."""

import asyncio
import hashlib
import ssl
import stat
from pathlib import Path

import httpx
import pytest

from edgebox.engine import Engine
from edgebox.web.certificate import CERTIFICATE, GIVEN, KEY, bring_in, brought_in, make
from edgebox.web.part import ManagersPage
from edgebox.web.roles import Role
from tests.line_of_engine import NOW
from tests.web.office import PASSWORD, Shop, play
from tests.web.test_part import _any
from tests.web.test_part import play as serve


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate and its key, as a merchant's provider gives them."""
    folder = tmp_path_factory.mktemp("merchant")
    make(folder, ["shop.example.cn"], NOW)
    return (folder / CERTIFICATE).read_text("ascii"), (folder / KEY).read_text("ascii")


async def shown(port: int) -> str:
    """The fingerprint that a browser sees now."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_any())
    try:
        socket = writer.get_extra_info("ssl_object")
        assert isinstance(socket, ssl.SSLObject)
        return hashlib.sha256(socket.getpeercert(binary_form=True) or b"").hexdigest()
    finally:
        writer.close()


def test_it_is_in_force_at_once_and_the_boxs_own_again_when_it_is_taken_out(pair: tuple[str, str]) -> None:
    async def story(engine: Engine, page: ManagersPage) -> None:
        office = page.office
        assert office is not None
        own = await shown(page.port)
        said = await office.accounts.make_token("installer", Role.OWNER, True, NOW, "owner")
        headers = {"authorization": f"Bearer {said}"}
        async with httpx.AsyncClient(
            verify=False, base_url=f"https://127.0.0.1:{page.port}", headers=headers
        ) as program:
            made = (await program.put("/api/v1/certificate", json={"certificate": pair[0], "key": pair[1]})).json()
            assert made["origin"] == "page"
            assert await shown(page.port) == made["fingerprint"] != own
            assert (await program.delete("/api/v1/certificate")).json()["origin"] == "box"
            assert await shown(page.port) == own
            assert (await program.delete("/api/v1/certificate")).status_code == 404

    serve(story)


def test_what_can_not_be_used_changes_nothing_and_the_key_is_shown_to_nobody(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    make(tmp_path, ["other.example"], NOW)
    other = (tmp_path / KEY).read_text("ascii")
    locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
    for certificate, key in ((pair[0], other), (pair[0], ""), ("", pair[1]), ("<script>", "x"), (pair[0], locked)):

        async def story(shop: Shop, certificate: str = certificate, key: str = key) -> None:
            owner = await shop.somebody()
            answer = await owner.send_form("/certificate", certificate=certificate, key=key)
            assert answer.status_code == 422
            assert "Nothing has changed" in answer.text
            assert "PRIVATE KEY" not in answer.text
            assert not (Path(shop.engine.config.engine.data) / "web" / GIVEN / CERTIFICATE).exists()
            assert shop.engine.counters["faults"] == 0

        play(story)


def test_it_is_kept_for_the_engine_alone_and_one_that_breaks_later_is_not_used(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    bring_in(tmp_path, *pair, NOW)
    assert stat.S_IMODE((tmp_path / GIVEN / KEY).stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [GIVEN]
    found = brought_in(tmp_path)
    assert found is not None
    assert not found.is_own
    (tmp_path / GIVEN / KEY).write_text("the card has lost it", "utf-8")
    assert brought_in(tmp_path) is None


def test_one_that_has_run_out_is_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(Exception, match="run out"):
        bring_in(tmp_path, *pair, NOW + 900 * 86_400)


def test_it_is_for_the_owner_alone() -> None:
    async def story(shop: Shop) -> None:
        for role in (Role.MANAGER, Role.INSTALLER, Role.CASHIER):
            assert (await (await shop.somebody(role)).get("/certificate")).status_code == 403
        assert PASSWORD not in (await (await shop.somebody()).get("/certificate")).text

    play(story)
