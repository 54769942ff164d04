"""Who may do what: every route with every role, and with nobody. New routes are found by themselves."""

import asyncio

import httpx
import pytest

from edgebox.web.roles import PEOPLE, PUBLIC, Role
from edgebox.web.routes import Row, rows
from tests.web.office import Browser, Shop, play

TABLE = rows()
# What anybody in the shop's network may see. Adding to it wants a reason.
OPEN = {
    "/sign-in": "how else would one sign in",
    "/pair": "how else would one begin; wants the slip's code",
    "/pair/print": "only the paper tells the code; refused once there is a user",
    "/language": "of one's own browser",
    "/healthz": "says ok or failed",
    "/assets/{mark}/{name}": "scripts and styles, the same in every box",
}


def address(row: Row) -> str:
    """With something in the braces."""
    path = row.path
    for name in row.places:
        path = path.replace("{" + name + "}", "1")
    return path


async def ask(browser: Browser, row: Row) -> httpx.Response:
    """Without the token of a form: who may is refused for that, who may not for that."""
    headers = {"origin": str(browser.base_url).rstrip("/")}
    return await asyncio.wait_for(browser.request(row.method, address(row), headers=headers), 10)


@pytest.mark.parametrize("role", Role)
def test_every_route_is_for_its_roles_alone(role: Role) -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody(role)
        for row in TABLE:
            if row.path == "/live" and role in row.roles:
                continue  # does not end; test_live.py listens to it
            shop.office.counters.clear()
            answer = await ask(browser, row)
            turned_away = shop.office.counters["refused role"] + shop.office.counters["refused signed_out"]
            assert bool(turned_away) == (role not in row.roles), f"{role} {row.method} {row.path} {answer.status_code}"
            assert answer.status_code != 500, f"{row.method} {row.path}"
            if role not in row.roles and not row.is_api and role is Role.NOBODY:
                assert answer.status_code in (303, 401)

    play(story)


def test_what_is_open_to_everybody_is_what_has_a_reason_to_be() -> None:
    assert {row.path for row in TABLE if Role.NOBODY in row.roles} == set(OPEN)
    assert all(row.roles == PUBLIC or Role.NOBODY not in row.roles for row in TABLE)


def test_nothing_is_changed_without_the_token_of_the_page() -> None:
    async def story(shop: Shop) -> None:
        for role in PEOPLE:
            browser = await shop.somebody(role)
            for row in TABLE:
                if row.changes and role in row.roles:
                    shop.office.counters.clear()
                    answer = await ask(browser, row)
                    assert shop.office.counters["refused csrf"] == 1, f"{role} {row.path} {answer.status_code}"

    play(story)


def test_a_token_that_may_read_changes_nothing_and_sees_no_page() -> None:
    async def story(shop: Shop) -> None:
        program = await shop.token(Role.OWNER, writes=False)
        for row in TABLE:
            answer = await ask(program, row)
            if row.is_api and row.changes:
                assert answer.json()["reason"] == "read_only", row.path
            elif not row.is_api and row.path not in ("/healthz", "/metrics"):
                assert answer.status_code == 403, row.path

    play(story)


def test_the_application_has_no_route_besides_the_table() -> None:
    async def story(shop: Shop) -> None:
        inside = shop.app._app.routes
        assert {(route.path, method) for route in inside for method in route.methods - {"HEAD"}} == {
            (row.path, row.method) for row in TABLE
        }

    play(story)


def test_everything_that_is_taken_has_limits() -> None:
    """A number without bounds is one that SQLite can't hold; a text without a length is a way to fill memory."""
    import msgspec

    for row in TABLE:
        if row.takes is None:
            continue
        for field in msgspec.inspect.type_info(row.takes).fields:  # type: ignore[attr-defined]
            kind = field.type
            where = f"{row.path} {field.name}"
            if isinstance(kind, msgspec.inspect.IntType):
                assert kind.ge is not None, where
                assert kind.le is not None, where
            if isinstance(kind, msgspec.inspect.StrType):
                assert kind.max_length is not None or kind.pattern is not None, where
