"""An update file on its way into the idle slot: what is taken, what is refused, and the running slot never minds."""

import errno
import functools
import io
import lzma
import os
import tarfile
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.appliance.keeper.gate import Unit
from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.trial import Outcome, Phase
from edgebox.appliance.update import archive, inbox
from edgebox.appliance.update.installing import install
from edgebox.appliance.update.manifest import Here, Manifest, may_take, order_of, read_head, release_keys
from edgebox.commands_update import stand
from edgebox.errors import UpdateError
from sync.signing import Purpose, public_text, sign
from tests.appliance.update.released import ABOUT, FILES, HERE, Box, key, known, released, sealed
from tests.appliance.update.test_trial import disk


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    slots = disk(tmp_path / "opt")
    (slots.folder("a") / "marker").write_text("running", "ascii")
    return slots


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return released(tmp_path / "made")


def refused(slots: Slots, file: Path, reason: str, box: Box | None = None, here: Here = HERE) -> None:
    """It is turned down for this reason, which is also told; and nothing is as if it had been begun."""
    box = box or Box()
    with pytest.raises(UpdateError) as fault:
        install(file, slots, known(), here, box.machine(), "j1")
    assert fault.value.reason == reason, fault.value
    last = slots.last()
    assert last is not None
    assert (last.outcome, last.reason, last.job) == (Outcome.REFUSED, reason, "j1")
    assert (slots.current, slots.trial(), box.watched) == ("a", None, 0)
    assert (slots.folder("a") / "marker").read_text("ascii") == "running"
    assert not (slots.home / ".incoming").exists()


def test_a_release_is_unpacked_checked_and_on_trial(slots: Slots, file: Path) -> None:
    box = Box()
    install(file, slots, known(), HERE, box.machine(), "j1")
    trial = slots.trial()
    assert trial is not None
    assert (trial.new, trial.old, trial.version, trial.before) == ("b", "a", "2.0.0", "1.0.0")
    assert (trial.phase, trial.cloud, trial.lines, trial.job) == (Phase.TRYING, True, ("line1",), "j1")
    assert trial.ready_s == 1.0
    assert (slots.current, box.checked, box.watched) == ("b", ["b"], 1)
    for name, content in FILES.items():
        assert (slots.folder("b") / name).read_bytes() == content
        assert (slots.folder("b") / name).stat().st_mode & 0o7777 == 0o644
    assert os.readlink(slots.folder("b") / "bin/python3") == "/usr/bin/python3"
    assert not (slots.home / ".incoming").exists()
    assert "on trial: 2.0.0 (trying), 0 boots since" in stand(slots)


def test_what_ails_before_is_written_down(slots: Slots, file: Path) -> None:
    box = Box()
    box.clock = 500.0
    box.units = (
        Unit("well", 1, True, 1, falls=3), Unit("waits", 0, False, 1), Unit("falls", 2, True, 490_000_000, falls=3),
        Unit("young", 3, True, 490_000_000),
    )  # fmt: skip
    install(file, slots, known(), HERE, box.machine())
    trial = slots.trial()
    assert trial is not None
    assert trial.ailing == ("waits", "falls")


def test_a_slow_box_gives_its_line_more_time(slots: Slots, file: Path) -> None:
    box = Box()
    box.line_s = 4.0
    install(file, slots, known(), HERE, box.machine())
    trial = slots.trial()
    assert trial is not None
    assert trial.ready_s == 12.0


def test_the_same_tree_makes_the_same_archive(tmp_path: Path) -> None:
    one, other = released(tmp_path / "one"), released(tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_while_a_version_is_tried_no_other_is_taken(slots: Slots, file: Path) -> None:
    install(file, slots, known(), HERE, Box().machine())
    with pytest.raises(UpdateError) as fault:
        install(file, slots, known(), HERE, Box().machine())
    assert fault.value.reason == "busy"
    assert slots.version("b") == "2.0.0"


# -- what is refused


@pytest.mark.parametrize(
    ("about", "here", "reason"),
    [
        ({"arch": "arm64"}, HERE, "wrong_arch"),
        ({"python": "3.13"}, HERE, "wrong_python"),
        ({"version": "1.0.0"}, HERE, "same_version"),
        ({"version": "0.9.0"}, HERE, "downgrade"),
        ({"replaces": "1.5.0"}, HERE, "too_old"),
        ({"keeper": 2}, HERE, "needs_package"),
    ],
)
def test_a_release_that_does_not_fit_is_refused(
    slots: Slots, tmp_path: Path, about: dict[str, object], here: Here, reason: str
) -> None:
    refused(slots, released(tmp_path / "made", **about), reason, here=here)


def test_an_older_version_is_taken_only_if_that_was_signed_for() -> None:
    older = msgspec.structs.replace(ABOUT, version="0.9.0", downgrade=True)
    may_take(older, HERE)


def test_a_key_that_the_box_does_not_know_brings_it_nothing(slots: Slots, file: Path) -> None:
    with pytest.raises(UpdateError) as fault:
        install(file, slots, known(key("other")), HERE, Box().machine())
    assert fault.value.reason == "unknown_key"
    with pytest.raises(UpdateError) as fault:
        install(file, slots, {}, HERE, Box().machine())
    assert fault.value.reason == "no_keys"


@functools.cache
def whole() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return released(Path(folder) / "made").read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_bit_turned_anywhere_is_noticed_before_anything_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("box")
    raw = bytearray(whole())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    bad = folder / "bad.update"
    bad.write_bytes(bytes(raw))
    slots = disk(folder / "opt")
    box = Box()
    with pytest.raises(UpdateError):
        install(bad, slots, known(), HERE, box.machine())
    assert (slots.current, slots.version("b"), box.checked) == ("a", "2.0.0", []), "the idle slot is not even emptied"


@pytest.mark.parametrize("change", ["shorter", "longer", "empty", "missing", "a folder", "a link", "a pipe"])
def test_a_file_that_is_not_what_was_signed_is_refused(slots: Slots, file: Path, tmp_path: Path, change: str) -> None:
    bad = tmp_path / "bad.update"
    raw = file.read_bytes()
    made = {"shorter": raw[:-1], "longer": raw + b"\0", "empty": b""}
    if change in made:
        bad.write_bytes(made[change])
    elif change == "a link":
        bad.symlink_to(file)
    elif change == "a pipe":
        os.mkfifo(bad)
    elif change == "a folder":
        bad.mkdir()
    shapes = {"missing": "disk", "a link": "disk", "shorter": "bad_archive", "longer": "bad_archive"}
    refused(slots, bad, shapes.get(change, "not_an_update"))


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"x", link: str = "") -> bytes:
    """An archive with one good file and one odd one."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for one_name, one_kind in (("bin/good", tarfile.REGTYPE), (name, kind)):
            info = tarfile.TarInfo(one_name)
            info.type, info.size, info.linkname = one_kind, len(content) if one_kind == tarfile.REGTYPE else 0, link
            tar.addfile(info, io.BytesIO(content))
    return lzma.compress(raw.getvalue())


@pytest.mark.parametrize(
    "packed",
    [
        entry("../../etc/passwd"),
        entry("/etc/passwd"),
        entry("lib/../../x"),
        entry("etc/x"),
        entry("bin"),
        entry("slot.json"),
        entry("bin/python3"),
        entry("bin/" + "x" * 500),
        entry("bin/new\nline"),
        entry("bin/out", tarfile.SYMTYPE, link="/etc"),
        entry("bin/hard", tarfile.LNKTYPE, link="bin/good"),
        entry("bin/null", tarfile.CHRTYPE),
        entry("bin/pipe", tarfile.FIFOTYPE),
        entry("bin/folder", tarfile.DIRTYPE),
        entry("bin/good"),
        b"",
        b"no xz at all",
        lzma.compress(b"no tar"),
        entry("bin/x")[:-20],
    ],
    ids=lambda packed: f"{len(packed)} bytes",
)
def test_an_archive_that_was_signed_by_mistake_leaves_nothing_outside_its_slot(
    slots: Slots, tmp_path: Path, packed: bytes
) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "slots/b" not in str(path))
    file = sealed(tmp_path / "made", packed or b"\0", unpacked=2, files=2)
    refused(slots, file, "bad_archive")
    assert slots.whole() == {"a"}, "what was half unpacked is not whole"
    after = sorted(path for path in tmp_path.rglob("*") if "slots/b" not in str(path) and "made" not in str(path))
    assert [path for path in after if path not in before and path.name not in ("last.json", ".lock")] == []


@pytest.mark.parametrize(("unpacked", "files"), [(1, 2), (3, 2), (2, 1), (2, 3)])
def test_an_archive_holds_what_its_manifest_says(slots: Slots, tmp_path: Path, unpacked: int, files: int) -> None:
    refused(slots, sealed(tmp_path / "made", entry("bin/x"), unpacked=unpacked, files=files), "bad_archive")


def test_an_archive_that_swells_is_stopped(slots: Slots, tmp_path: Path) -> None:
    swollen = lzma.compress(bytes(8 << 20))
    refused(slots, sealed(tmp_path / "made", swollen, unpacked=1000, files=2), "bad_archive")


def test_no_room_is_said_before_anything_is_written(slots: Slots, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "ROOM_BYTES", 1 << 60)
    refused(slots, file, "no_room")
    assert slots.version("b") == "2.0.0", "the version before is still there"


def test_a_disk_that_fails_in_the_middle_leaves_the_running_slot(
    slots: Slots, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_write", full)
    refused(slots, file, "disk")
    assert slots.whole() == {"a"}


def test_a_version_that_fails_its_own_check_is_never_started(slots: Slots, file: Path) -> None:
    box = Box()
    box.fault = UpdateError("its line passed nothing", reason="check_failed")
    refused(slots, file, "check_failed", box)


# -- manifests, versions and keys


@given(st.binary(max_size=300))
def test_any_bytes_are_an_update_or_refused(raw: bytes) -> None:
    for head in (raw, b"edgebox-update 1\n" + raw, b"edgebox-update 1\n10\n" + raw):
        with pytest.raises(UpdateError):
            read_head(io.BytesIO(head), known())


@given(st.lists(st.tuples(*[st.integers(0, 999)] * 3, st.sampled_from(["", "-rc.1", "-rc.2", ".dev3"])), min_size=2))
def test_versions_have_one_order(parts: list[tuple[int, int, int, str]]) -> None:
    versions = sorted((f"{a}.{b}.{c}{more}" for a, b, c, more in parts), key=order_of)
    assert [order_of(one) for one in versions] == sorted(order_of(one) for one in versions)


def test_versions_are_compared_by_their_numbers() -> None:
    rising = ["0.9.0", "1.2.9", "1.2.10-rc.1", "1.2.10-rc.2", "1.2.10-rc.10", "1.2.10", "1.10.0"]
    assert [*map(order_of, rising)] == sorted(map(order_of, rising))
    for odd in ("1.2", "1.2.3.4.5_", "v1.2.3", "1.2.3 ", "\u0661.2.3", ""):
        with pytest.raises(ValueError, match="no version"):
            order_of(odd)


def test_release_keys_are_read_from_files_that_only_root_writes(tmp_path: Path) -> None:
    one = key()
    path = tmp_path / "release-1.pub"
    path.write_text(public_text(one.private, one.name) + "\n", "ascii")
    path.chmod(0o644)
    assert release_keys((tmp_path / "none", tmp_path)) == known()
    path.chmod(0o666)
    with pytest.raises(UpdateError, match="others may write it"):
        release_keys((tmp_path,))
    path.chmod(0o644)
    path.write_text("release-1:AAAA", "ascii")
    with pytest.raises(UpdateError, match="not a key"):
        release_keys((tmp_path,))


def test_a_fleets_command_key_signs_no_release(tmp_path: Path) -> None:
    signed = sign(key().private, "release-1", Purpose.COMMAND, ABOUT)
    raw = b"edgebox-update 1\n%d\n" % len(signed) + signed
    with pytest.raises(UpdateError) as fault:
        read_head(io.BytesIO(raw), known())
    assert fault.value.reason == "bad_signature"


@pytest.mark.parametrize("version", ["2.0.0\n", "\u0662.0.0"])
def test_a_version_that_has_no_order_is_refused_and_told(slots: Slots, tmp_path: Path, version: str) -> None:
    """Refused with its name, not with a traceback that nobody is told of."""
    refused(slots, released(tmp_path / "made", version=version), "bad_manifest")


def test_a_manifest_with_a_field_that_is_not_known_is_refused() -> None:
    raw = msgspec.json.encode({**msgspec.to_builtins(ABOUT), "must": "understand"})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=Manifest)
