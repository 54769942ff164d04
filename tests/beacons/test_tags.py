"""Who is known by which tag, and that no two are mixed up."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.beacons import tags
from edgebox.beacons.heard import TagKey, TagKind
from edgebox.beacons.tags import TAGS_MAX, Role, Tag, Tags
from edgebox.cli import main
from edgebox.errors import ConfigError
from edgebox.orders import contents
from edgebox.settings import TagSettings
from sync.contract import BundleKind
from tests.beacons.shop_floor import UUID, key

MEMBER = "0123456789abcdef" * 2


def content(**named: dict[str, object]) -> bytes:
    return json.dumps({"tags": named}).encode()


def spec(minor: int, **more: object) -> dict[str, object]:
    return {"uuid": UUID, "major": 1, "minor": minor, **more}


def test_tags_of_a_file_and_of_the_fleet_are_one_list_and_the_fleet_counts() -> None:
    own = tags.of_settings(
        [
            TagSettings(name="anna", beacon=f"{UUID}:1:1", role="staff"),
            TagSettings(name="door", beacon="00112233445566778899:0123456789ab", role="beacon"),
        ]
    )
    fleet = tags.of_content(content(ben=spec(1, role="staff", cashier="07"), cart=spec(3, role="asset", zone="shop")))
    both = Tags(fleet, own)
    assert [(tag.name, tag.cashier) for tag in both] == [("ben", "07"), ("cart", ""), ("door", "")]
    found = both.of(key(1))
    assert found is not None
    assert (found.role, found.key.kind) == (Role.STAFF, TagKind.IBEACON)
    assert both.of(key(9)) is None
    assert both.spaces() == {UUID, "00112233445566778899"}
    assert own[0].cashier == "anna", "a staff tag without a cashier's code has its name"


def test_a_member_is_shown_by_the_beginning_of_the_hash_and_never_by_a_name() -> None:
    (tag,) = tags.of_content(content(li_wei=spec(1, role="member", member=MEMBER)))
    assert tag.shown == MEMBER[:16]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"a": spec(1, role="boss")}, "no role boss"),
        ({"a": spec(1), "b": spec(1)}, "its beacon is a's"),
        ({"a": spec(1, role="member")}, "needs `member`"),
        ({"a": spec(1, role="staff", member=MEMBER)}, "only a member's"),
        ({"a": spec(1, role="asset", cashier="07")}, "only a staff"),
    ],
)
def test_a_tag_that_can_not_be_is_named_with_why(named: dict[str, dict[str, object]], words: str) -> None:
    found = contents.rejected(BundleKind.TAGS, content(**named))
    assert words in " ".join(found.values())
    assert set(found) <= set(named)


@pytest.mark.parametrize(
    "bad", [b"", b"[]", b'{"tags": {"a": {"uuid": "x"}}}', content(a=spec(70000)), content(a=spec(1, member="aa"))]
)
def test_what_is_no_list_of_tags_is_rejected_as_a_whole(bad: bytes) -> None:
    assert set(contents.rejected(BundleKind.TAGS, bad)) == {contents.WHOLE}


def test_faults_of_a_file_are_told_all_at_once() -> None:
    given_tags = [
        TagSettings(name="anna", beacon="nothing"),
        TagSettings(name="ben", beacon=f"{UUID}:1:1", role="member"),
        TagSettings(name="cara", beacon=f"{UUID}:1:1"),
    ]
    with pytest.raises(
        ConfigError, match=r"anna: 'nothing' is no beacon.*\n.*ben: .*member.*\n.*cara: .*ben's"
    ) as told:
        tags.of_settings(given_tags)
    assert told.value.reason == "bad_tag"


def test_a_list_has_an_end() -> None:
    many = [
        Tag(f"t{number}", TagKey(TagKind.IBEACON, UUID, number // 60_000, number)) for number in range(TAGS_MAX + 9)
    ]
    assert len(Tags(many)) == TAGS_MAX


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(
    lambda value: json.dumps({"tags": {"a": value}}).encode()
))  # fmt: skip
def test_no_bytes_of_a_bundle_raise(raw: bytes) -> None:
    assert isinstance(contents.rejected(BundleKind.TAGS, raw), dict)


def test_config_check_names_tags_and_zones_that_can_not_be(capsys: pytest.CaptureFixture[str]) -> None:
    bad = f'beacons.tags=[{{name="a",beacon="x"}},{{name="b",beacon="{UUID}:1:1",role="member"}}]'
    assert (
        main(["config", "check", "--set", bad, "--set", 'beacons.zones=["till=4/2"]', "--set", "beacons.line=x"]) == 2
    )
    said = capsys.readouterr().err
    for words in ("a: 'x' is no beacon", "b: a member's tag needs", "till=4/2", "there is no line x"):
        assert words in said


def test_config_check_names_a_zone_that_a_tag_or_a_setting_wants_and_that_there_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tag = f'beacons.tags=[{{name="cart",beacon="{UUID}:1:1",zone="shpo"}}]'
    flags = ["--set", tag, "--set", 'beacons.zones=["shop=8/16"]', "--set", "beacons.attach_members=true"]
    assert main(["config", "check", *flags]) == 2
    said = capsys.readouterr().err
    assert "cart: there is no zone shpo" in said
    assert "attach_members: wants a zone till" in said
