"""A printer that is called by its name: which of its addresses is dialled, and when the name is looked up again."""

import select
import socket

import pytest

from drivers.base import PrinterEnd, Reason
from drivers.registry import printer_end, till_end
from edgebox.errors import DriverError


def dialled(end: PrinterEnd) -> tuple[str, bool]:
    """Whom it dialled, and whether somebody was there."""
    port = end.connect()
    try:
        waiting = select.poll()
        waiting.register(port.fileno(), select.POLLOUT)
        assert waiting.poll(5000)
        return port.peer.rpartition(":")[0], end.connected(port)
    except ConnectionRefusedError:
        return port.peer.rpartition(":")[0], False
    finally:
        port.close()


def test_the_address_of_a_name_that_answers_is_kept_and_the_others_tried_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as printer:
        number = printer.getsockname()[1]
        places = [(socket.AF_INET, 1, 6, "", (f"127.0.0.{last}", number)) for last in (1, 2)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        end = printer_end(f"tcp://printer.test:{number}")
        found = [dialled(end) for _ in range(4)]
    assert found == [("127.0.0.1", False), *[("127.0.0.2", True)] * 3], "no receipt is lost to the other address"


def test_a_name_whose_addresses_all_fail_is_looked_up_again_and_outlives_the_resolver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.3", 0)) as printer:
        number = printer.getsockname()[1]
        places = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", number))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        end = printer_end(f"tcp://printer.test:{number}")
        assert dialled(end) == ("127.0.0.1", False)
        monkeypatch.setattr(socket, "getaddrinfo", fails)
        assert dialled(end) == ("127.0.0.1", False)
        places = [(socket.AF_INET, 1, 6, "", ("127.0.0.3", number))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        assert dialled(end) == ("127.0.0.3", True), "it has moved, and is found"


def fails(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def test_a_name_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", fails)
    for use in (printer_end("tcp://printer.test:9").connect, till_end("tcp://printer.test:9").open):
        with pytest.raises(DriverError, match=r"no address for printer\.test") as caught:
            use()
        assert caught.value.reason == Reason.NOT_FOUND


def test_a_name_no_resolver_can_encode_is_named() -> None:
    with pytest.raises(DriverError) as caught:
        printer_end(f"tcp://{'x' * 70}.test:9").connect()
    assert caught.value.reason == Reason.NOT_FOUND
