"""Two things at once: what was allowed when it began is allowed no more when it is there."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlencode

from edgebox.errors import PageError
from edgebox.web.accounts import User
from edgebox.web.roles import Role
from tests.line_of_engine import NOW
from tests.web.office import ORIGIN, PASSWORD, Shop, play


def test_a_form_that_comes_slowly_gives_no_role_back_that_was_taken_away() -> None:
    async def story(shop: Shop) -> None:
        manager, owner = await shop.somebody(Role.MANAGER), await shop.somebody()

        async def slow() -> AsyncIterator[bytes]:
            yield b"language=zh&"
            done = await owner.send_form("/users/manager/change", role="cashier", password="another pass 8")
            assert done.status_code == 303
            yield urlencode({"csrf": manager.csrf}).encode()

        kind = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN}
        await manager.post("/language", content=slow(), headers=kind)
        now = shop.office.accounts.user("manager")
        assert now is not None
        assert now.role is Role.CASHIER
        assert not await shop.office.passwords.is_right(PASSWORD, now.password)

    play(story)


def test_a_form_that_comes_slowly_does_nothing_for_who_was_removed_meanwhile() -> None:
    async def story(shop: Shop) -> None:
        office = shop.office
        await office.accounts.add(User("second", Role.OWNER, await office.passwords.made(PASSWORD), "en", NOW))
        second = shop.browser()
        await second.sign_in("second")

        async def slow() -> AsyncIterator[bytes]:
            yield urlencode({"csrf": second.csrf, "name": "mallory", "password": PASSWORD}).encode()
            await office.accounts.remove("second")
            await office.sessions.end_all("second")
            yield b"&role=owner"

        kind = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN}
        await second.post("/users/add", content=slow(), headers=kind)
        assert office.accounts.user("mallory") is None

    play(story)


def test_two_owners_who_remove_each_other_leave_one() -> None:
    async def story(shop: Shop) -> None:
        accounts = shop.office.accounts
        await accounts.add(User("second", Role.OWNER, "x", "en", NOW))
        ends = await asyncio.gather(accounts.remove("owner"), accounts.remove("second"), return_exceptions=True)
        assert sorted(end.reason for end in ends if isinstance(end, PageError)) == ["last_owner"]
        assert len([user for user in accounts.users() if user.role is Role.OWNER]) == 1

    play(story)


def test_of_two_users_of_one_name_the_first_stays() -> None:
    async def story(shop: Shop) -> None:
        accounts = shop.office.accounts
        both = [User("li", role, "x", "en", NOW) for role in (Role.CASHIER, Role.OWNER)]
        ends = await asyncio.gather(*map(accounts.add, both), return_exceptions=True)
        assert [end.reason for end in ends if isinstance(end, PageError)] == ["name_taken"]
        assert accounts.user("li") == both[0]

    play(story)


def test_a_password_that_is_changed_while_the_old_one_is_looked_at_lets_nobody_in() -> None:
    async def story(shop: Shop) -> None:
        office = shop.office
        kept = await office.passwords.made("another pass 8")
        right = office.passwords.is_right

        async def meanwhile(password: str, known: str) -> bool:
            is_right = await right(password, known)
            user = office.accounts.user("manager")
            assert user is not None
            await office.accounts.change(user._replace(password=kept))
            return is_right

        office.passwords.is_right = meanwhile  # type: ignore[method-assign]
        answer = await shop.browser().send_form("/sign-in", name="manager", password=PASSWORD)
        assert answer.status_code == 403
        assert not office.sessions.of("manager")

    play(story)


def test_a_role_given_while_a_password_is_made_stays() -> None:
    async def story(shop: Shop) -> None:
        office, owner = shop.office, await shop.somebody()
        made = office.passwords.made

        async def meanwhile(password: str) -> str:
            user = office.accounts.user("manager")
            assert user is not None
            await office.accounts.change(user._replace(role=Role.CASHIER))
            return await made(password)

        office.passwords.made = meanwhile  # type: ignore[method-assign]
        assert (await owner.send_form("/users/manager/change", password="another pass 8")).status_code == 303
        now = office.accounts.user("manager")
        assert now is not None
        assert now.role is Role.CASHIER

    play(story)
