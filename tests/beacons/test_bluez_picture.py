"""What is missing, and which adapter is ours."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.bluez_picture import ADAPTER, ADVERTISING, WORDS, Missing, Picture, Place, Sketch

HCI0, HCI1 = "/org/bluez/hci0", "/org/bluez/hci1"


def drawn(objects: dict[str, dict[str, dict[str, object]]], wanted: str = "") -> Sketch:
    sketch = Sketch(wanted)
    sketch.connected()
    sketch.owned(":1.5")
    sketch.answered(objects)
    return sketch


def test_every_want_is_said_in_words_and_what_to_do_is_among_them() -> None:
    assert set(WORDS) == set(Missing)
    assert all(word in WORDS[Missing.BLOCKED] for word in ("rfkill", "unblock"))
    assert Picture(Missing.OFF).words == WORDS[Missing.OFF]
    assert Picture(None).words == ""


def test_from_nothing_to_a_place_step_by_step() -> None:
    sketch = Sketch()
    seen = [sketch.picture.missing]
    sketch.lost(Missing.NO_BUS)
    seen.append(sketch.picture.missing)
    sketch.connected()
    seen.append(sketch.picture.missing)
    sketch.owned(":1.5")
    sketch.answered({})
    seen.append(sketch.picture.missing)
    sketch.added(HCI0, {ADAPTER: {"Powered": False, "PowerState": "off-blocked"}})
    seen.append(sketch.picture.missing)
    sketch.changed(HCI0, ADAPTER, {"PowerState": "off"})
    seen.append(sketch.picture.missing)
    sketch.changed(HCI0, ADAPTER, {"Powered": True})
    seen.append(sketch.picture.missing)
    assert seen == [Missing.NOT_ASKED, Missing.NO_BUS, Missing.NO_DAEMON, Missing.NO_ADAPTER, Missing.BLOCKED,
                    Missing.OFF, None]  # fmt: skip
    assert sketch.picture.place == Place(1, ":1.5", HCI0)


def test_the_first_adapter_that_is_on_is_taken() -> None:
    sketch = drawn({HCI1: {ADAPTER: {"Powered": True}}, HCI0: {ADAPTER: {"Powered": False}}})
    assert sketch.picture.adapter is not None
    assert sketch.picture.adapter.name == "hci1"
    sketch.changed(HCI0, ADAPTER, {"Powered": True})
    assert sketch.picture.adapter is not None
    assert sketch.picture.adapter.name == "hci0"


def test_a_named_adapter_is_taken_or_none() -> None:
    both: dict[str, dict[str, dict[str, object]]] = {
        HCI0: {ADAPTER: {"Powered": True}},
        HCI1: {ADAPTER: {"Powered": False}},
    }
    assert drawn(both, "hci1").picture.missing is Missing.OFF
    assert drawn(both, "hci2").picture.missing is Missing.NO_ADAPTER


def test_another_bluetoothd_is_another_place() -> None:
    sketch = drawn({HCI0: {ADAPTER: {"Powered": True}}})
    before = sketch.picture.place
    sketch.owned(":1.9")
    assert sketch.picture.missing is Missing.NO_ADAPTER, "it has not been asked"
    sketch.answered({HCI0: {ADAPTER: {"Powered": True}}})
    assert sketch.picture.place != before


def test_an_adapter_goes_with_its_interface_and_devices_are_not_looked_at() -> None:
    sketch = drawn({HCI0: {ADAPTER: {"Powered": True}, ADVERTISING: {"ActiveInstances": 1}},
                    f"{HCI0}/dev_AA": {"org.bluez.Device1": {"RSSI": -60}}})  # fmt: skip
    sketch.removed(HCI0, [ADVERTISING])
    assert sketch.picture.adapter is not None
    assert not sketch.picture.adapter.advertises
    sketch.removed(HCI0, [ADAPTER])
    assert sketch.picture.missing is Missing.NO_ADAPTER
    sketch.removed(HCI0, [ADAPTER])


@given(st.lists(st.tuples(st.sampled_from([HCI0, HCI1, "/x"]), st.booleans(), st.booleans()), max_size=30))
def test_whatever_is_said_in_whatever_order_there_is_a_place_only_where_there_is_power(
    said: list[tuple[str, bool, bool]],
) -> None:
    sketch = drawn({})
    for path, is_there, powered in said:
        if is_there:
            sketch.added(path, {ADAPTER: {"Powered": powered}})
        else:
            sketch.removed(path, [ADAPTER])
        sketch.changed(path, ADAPTER, {"Powered": powered})
        picture = sketch.picture
        assert (picture.place is None) == (picture.missing is not None)
        assert picture.missing is not None or (picture.adapter is not None and picture.adapter.powered)
