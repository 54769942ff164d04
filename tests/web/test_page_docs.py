"""docs/page.md says what the code does: each metric, limit and role."""

import re
from pathlib import Path

from edgebox.log_tail import TAIL_LINES
from edgebox.web import certificate, guard, pairing, passwords, patience, routes, tries
from edgebox.web.roles import PEOPLE
from tests.web.office import Shop, play

PAGE = (Path(__file__).parents[2] / "docs" / "page.md").read_text("utf-8")


def test_each_metric_is_explained_and_each_explained_one_is_there() -> None:
    async def story(shop: Shop) -> None:
        text = (await (await shop.somebody()).get("/metrics")).text
        there = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
        assert there == set(re.findall(r"^\| `(edgebox_\w+)` \|", PAGE, re.MULTILINE))

    play(story)


def test_the_roles_and_limits_are_those_of_the_code() -> None:
    for role in PEOPLE:
        assert f"| {role.value} |" in PAGE
    assert f"N = 2^{passwords.N.bit_length() - 1}, r = {passwords.R}, p = {passwords.P}" in PAGE
    assert f"after {tries.OF_ADDRESS.free} wrong tries an address waits" in PAGE
    assert f"after {tries.OF_NAME.free} a name waits, {tries.OF_NAME.longest_s / 60:.0f} min" in PAGE
    assert f"{pairing.LENGTH} signs, is good for {pairing.MINUTES} minutes" in PAGE
    assert f"good for {certificate.DAYS} days and made anew {certificate.RENEW_DAYS} days before" in PAGE
    assert f"{routes.BODY_BYTES >> 10} KB a form" in PAGE
    head = f"{guard.HEAD_BYTES >> 10} KB and {guard.HEADERS_MAX} lines a head"
    assert f"{head}, {patience.HEAD_S:.0f} s for a head and {patience.BODY_S:.0f} s for a body" in PAGE
    assert f"the newest {TAIL_LINES} lines" in PAGE
    assert guard.POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
