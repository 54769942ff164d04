"""TCP at both ends, over loopback: a till dials the box, the box dials a printer."""

import errno
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.address import network, number, spelled
from drivers.base import Port, Reason, parse_url
from drivers.registry import printer_end, till_end
from drivers.tcp import BACKLOG, NOT_SENT_BYTES, RECEIVE_BYTES, TcpPort, TcpPrinter, TcpTill
from edgebox.errors import DriverError

PATIENCE_MS = 5000


def wait(fd: int, events: int = select.POLLIN) -> None:
    poll = select.poll()
    poll.register(fd, events)
    assert poll.poll(PATIENCE_MS), "nothing happened"


def opened(url: str, allow: tuple[str, ...] = ()) -> TcpTill:
    end = till_end(url, allow)
    end.open()
    assert isinstance(end, TcpTill)
    return end


def accepted(end: TcpTill) -> Port:
    wait(cast(int, end.fileno()))
    port = end.accept()
    assert port is not None
    return port


def heard(port: Port, limit: int = 65536) -> bytes | None:
    wait(port.fileno())
    return port.read(limit)


@pytest.fixture
def till() -> Iterator[TcpTill]:
    end = opened("tcp://127.0.0.1:0")
    yield end
    end.close()


@pytest.fixture
def wire(till: TcpTill) -> Iterator[tuple[Port, socket.socket]]:
    """The box's port, and the till's own socket."""
    own = socket.create_connection(till.address)
    port = accepted(till)
    yield port, own
    port.close()
    own.close()


@pytest.fixture
def printer() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def dial(printer: socket.socket) -> tuple[TcpPrinter, Port]:
    end = printer_end(f"tcp://127.0.0.1:{printer.getsockname()[1]}")
    assert isinstance(end, TcpPrinter)
    return end, end.connect()


# --- The till's end ----------------------------------------------------------------------------------------------


def test_a_till_is_let_in_and_named(till: TcpTill) -> None:
    assert till.accept() is None
    with socket.create_connection(till.address) as own:
        port = accepted(till)
        assert port.peer == spelled(own.getsockname())
        assert not port.paced
        assert port.ready()
        assert till.accept() is None
        port.close()


def test_bytes_go_both_ways_and_nothing_is_none(wire: tuple[Port, socket.socket]) -> None:
    port, own = wire
    assert port.read(10) is None
    own.sendall(b"till")
    assert heard(port, 2) == b"ti"
    assert port.read(10) == b"ll"
    assert port.write(memoryview(b"printer")) == 7
    assert own.recv(10) == b"printer"


def test_a_half_closed_till_still_hears_its_reply(wire: tuple[Port, socket.socket]) -> None:
    port, own = wire
    own.sendall(b"\x10\x04\x01")
    own.shutdown(socket.SHUT_WR)
    assert heard(port) == b"\x10\x04\x01"
    assert heard(port) == b""
    assert port.write(b"\x16") == 1
    port.finish_writing()
    assert own.recv(10) == b"\x16"
    assert own.recv(10) == b""


def test_a_till_that_resets_is_an_error_not_an_end(wire: tuple[Port, socket.socket]) -> None:
    port, own = wire
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    own.close()
    wait(port.fileno())
    port.finish_writing()  # hides nothing: the read below still tells
    with pytest.raises(ConnectionResetError):
        port.read(10)
    with pytest.raises(OSError, match="pipe"):
        port.write(b"x")


def test_abort_is_a_reset_to_the_till_and_close_is_not(till: TcpTill) -> None:
    with socket.create_connection(till.address) as own:
        port = accepted(till)
        port.abort()
        port.abort()
        port.close()
        assert port.fileno() == -1
        assert port.unsent() == 0
        with pytest.raises(ConnectionResetError):
            own.recv(1)
    with socket.create_connection(till.address) as own:
        accepted(till).close()
        assert own.recv(1) == b""


def test_a_till_sees_the_busy_printer_after_a_few_kilobytes(wire: tuple[Port, socket.socket]) -> None:
    """Nobody reads. Without RECEIVE_BYTES the kernel would take 170 KB, and the till would think it printed."""
    _, own = wire
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_BYTES)
    own.setblocking(False)
    assert filled(own.send) <= 4 * RECEIVE_BYTES


def filled(send: Callable[[bytes], int]) -> int:
    """How much is taken until nothing is, for 50 ms."""
    total = 0
    tries = 0
    while tries < 10:
        try:
            taken = send(bytes(1024))
        except BlockingIOError:
            taken = 0
        total += taken
        tries = 0 if taken else tries + 1
        if not taken:
            select.select([], [], [], 0.005)
    return total


def test_a_client_that_is_not_allowed_is_reset_and_counted() -> None:
    end = opened("tcp://127.0.0.1:0?allow=127.0.0.2,10.0.0.0/8")
    with socket.create_connection(end.address) as stranger:
        wait(cast(int, end.fileno()))
        assert end.accept() is None
        assert end.refused == 1
        with pytest.raises(ConnectionResetError):
            stranger.recv(1)
    with socket.create_connection(end.address, source_address=("127.0.0.2", 0)) as own:
        port = accepted(end)
        own.sendall(b"x")
        assert heard(port) == b"x"
        port.close()
    assert end.refused == 1
    end.close()


def test_the_allow_list_of_the_configuration_adds_to_the_one_in_the_url() -> None:
    end = opened("tcp://127.0.0.1:0?allow=10.0.0.1", ("127.0.0.0/8",))
    with socket.create_connection(end.address):
        accepted(end).close()
    assert end.refused == 0
    end.close()


def test_an_ipv4_till_is_known_behind_an_ipv6_listener() -> None:
    end = opened("tcp://[::]:0?allow=127.0.0.1,::1")
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, end.address[1])):
            accepted(end).close()
    with socket.create_connection(("127.0.0.1", end.address[1]), source_address=("127.0.0.9", 0)):
        wait(cast(int, end.fileno()))
        assert end.accept() is None
    assert end.refused == 1
    end.close()


def test_a_client_that_left_before_it_was_served_is_nobody(till: TcpTill) -> None:
    own = socket.create_connection(till.address)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    own.close()
    wait(cast(int, till.fileno()))
    port = till.accept()
    if port is not None:  # Linux hands it over; the first read tells
        with pytest.raises(ConnectionResetError):
            port.read(1)
        port.close()


def test_a_taken_port_is_named(till: TcpTill) -> None:
    with pytest.raises(DriverError) as caught:
        till_end(f"tcp://127.0.0.1:{till.address[1]}").open()
    assert caught.value.reason == Reason.BUSY


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(DriverError) as caught:
        till_end("tcp://192.0.2.1:9100").open()  # TEST-NET-1, RFC 5737
    assert caught.value.reason == Reason.NOT_FOUND


def test_a_restarted_line_gets_its_port_back_at_once(till: TcpTill) -> None:
    with socket.create_connection(till.address) as own:
        port = accepted(till)
        port.close()  # we close first: our side stays in TIME_WAIT
        assert own.recv(1) == b""
    till.close()
    assert till.fileno() == -1
    assert till.accept() is None
    again = opened(f"tcp://127.0.0.1:{till.address[1]}")
    again.close()


def test_a_listening_socket_can_be_handed_down() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    fd = listener.detach()
    os.set_inheritable(fd, True)
    end = opened(f"tcp://fd:{fd}?allow=127.0.0.1")
    assert not os.get_inheritable(fd)
    with socket.create_connection(end.address) as own:
        port = accepted(end)
        own.sendall(b"first")
        assert heard(port) == b"first"
        port.close()
    end.close()


def test_something_else_handed_down_is_named_and_left_open() -> None:
    plain = socket.socket()
    with pytest.raises(DriverError) as caught:
        till_end(f"tcp://fd:{plain.fileno()}").open()
    assert caught.value.reason == Reason.WRONG_DEVICE
    assert plain.getsockname() == ("0.0.0.0", 0)
    plain.close()
    with pytest.raises(DriverError) as caught:
        till_end("tcp://fd:65000").open()
    assert caught.value.reason == Reason.CANNOT_OPEN


# --- The printer's end -------------------------------------------------------------------------------------------


def test_the_printer_is_dialled_without_waiting(printer: socket.socket) -> None:
    end, port = dial(printer)
    wait(port.fileno(), select.POLLOUT)
    assert end.connected(port)
    assert end.bytes_per_s == 0
    own, _ = printer.accept()
    assert port.peer == spelled(printer.getsockname())
    assert port.write(b"receipt") == 7
    assert own.recv(10) == b"receipt"
    own.sendall(b"\x16")
    assert heard(port) == b"\x16"
    port.finish_writing()
    assert own.recv(10) == b""
    port.close()
    own.close()


def test_a_connect_in_progress_is_not_yet_connected() -> None:
    """A full queue answers no SYN, as a printer that serves somebody else."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        end, first = dial(full)
        wait(first.fileno(), select.POLLOUT)
        second = end.connect()
        assert not end.connected(second)
        assert second.read(1) is None or second.write(b"") == 0
        served, _ = full.accept()
        served.close()
        first.close()
        second.abort()


def test_a_printer_that_is_off_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    end = printer_end(f"tcp://127.0.0.1:{address[1]}")
    port = end.connect()
    wait(port.fileno(), select.POLLOUT)
    with pytest.raises(ConnectionRefusedError):
        end.connected(port)
    port.close()


def test_a_printer_without_a_route_is_an_error_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: errno.ENETUNREACH)
    with pytest.raises(DriverError, match="unreachable") as caught:
        printer_end("tcp://192.0.2.1:9100").connect()
    assert caught.value.reason == Reason.CANNOT_OPEN


def test_a_stalled_printer_is_felt_after_a_few_kilobytes(printer: socket.socket) -> None:
    """Its own receive buffer is set small, as a printer's: what remains is what we let the kernel take."""
    printer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end, port = dial(printer)
    wait(port.fileno(), select.POLLOUT)
    assert end.connected(port)
    own, _ = printer.accept()
    taken = filled(port.write)
    assert 0 < taken <= 4096 + 4 * NOT_SENT_BYTES
    assert port.write(b"x") == 0
    assert 0 < port.unsent() <= taken
    read = 0
    while read < taken:
        read += len(own.recv(65536))
    wait(port.fileno(), select.POLLOUT)
    assert port.write(b"more") == 4
    port.close()
    own.close()


def test_a_port_of_somebody_else_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        printer_end("tcp://127.0.0.1:9").connected(cast(Port, object()))


def test_both_ends_notice_a_peer_that_lost_power_and_send_small_packets_at_once(
    wire: tuple[Port, socket.socket], printer: socket.socket
) -> None:
    _, dialled = dial(printer)
    for port, noticed_s in ((wire[0], 90), (dialled, 25)):
        copy = socket.socket(fileno=os.dup(port.fileno()))
        tcp = [copy.getsockopt(socket.IPPROTO_TCP, name) for name in TCP_OPTIONS]
        assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert tcp[0] + tcp[1] * tcp[2] == noticed_s
        assert tcp[3] == 1
        assert tcp[4] == 0, "Linux ends a connection to a printer without paper when this is set"
        copy.close()
    dialled.close()


TCP_OPTIONS = (
    socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_NODELAY, socket.TCP_USER_TIMEOUT
)  # fmt: skip


# --- The allow-list ----------------------------------------------------------------------------------------------

URL = parse_url("tcp://127.0.0.1:9100")


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_an_ipv4_network_holds_what_the_standard_library_says(base: object, prefix: int, client: object) -> None:
    import ipaddress

    net = ipaddress.ip_network(f"{base}/{prefix}", strict=False)
    assert (number(str(client)) in network(URL, str(net))) == (ipaddress.ip_address(str(client)) in net)
    assert number(f"::ffff:{client}") == number(str(client))


@given(st.ip_addresses(v=6), st.integers(0, 128), st.ip_addresses(v=6))
def test_an_ipv6_network_holds_what_the_standard_library_says(base: object, prefix: int, client: object) -> None:
    import ipaddress

    net = ipaddress.ip_network(f"{base}/{prefix}", strict=False)
    assert (number(f"{client}%eth0") in network(URL, str(net))) == (ipaddress.ip_address(str(client)) in net)


@given(st.text())
def test_any_text_is_a_network_or_a_driver_error(text: str) -> None:
    reasons = []
    try:
        network(URL, text)
    except DriverError as fault:
        reasons.append(fault.reason)
    assert reasons in ([], [Reason.BAD_OPTION])


def test_a_port_is_what_the_line_expects(wire: tuple[Port, socket.socket]) -> None:
    assert isinstance(wire[0], TcpPort)
    wire[0].set_busy(True)
    wire[1].sendall(b"still heard")
    assert heard(wire[0]) == b"still heard"
