"""A network till's shop on a real machine: the printer's address is the box's at once, and is given back."""

from __future__ import annotations

from tests.vm.machine import Machine

OLD, BEHIND = "192.168.1.50", "192.168.200.50"
# Two cables: eth1 to the till's network, prn0 to the printer, each with a machine at its other end.
CABLES = f"""
ip netns add till; ip netns add printer
ip link add eth1 type veth peer name eth0 netns till
ip link add prn0 type veth peer name eth0 netns printer
ip -n till address add 192.168.1.10/24 dev eth0; ip -n till link set eth0 up
ip -n printer address add {BEHIND}/24 dev eth0; ip -n printer link set eth0 up; ip -n printer link set lo up
"""
PRINTER = """
import socket, sys, threading

def serve(port, path):
    door = socket.create_server(("0.0.0.0", port))
    while True:
        link, _ = door.accept()
        with open(path, "ab", buffering=0) as paper:
            link.sendall(b"page") if port == 80 else None
            while data := link.recv(4096) if port != 80 else b"":
                paper.write(data)
        link.close()

threading.Thread(target=serve, args=(80, "/dev/null")).start()
serve(9100, "/root/paper")
"""
TILL = """
import socket, sys
link = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
if sys.argv[2] == "80":
    print(link.recv(10).decode())
else:
    link.sendall(sys.argv[3].encode())
"""
ANSWERS = f"""\
currency = "EUR"
language = "en"
till = "tcp://0.0.0.0:9100?allow=192.168.1.10"
printer = "tcp://{BEHIND}:9100"
"""
NETWORK = f"""\
[network]
interface = "eth1"
printer_address = "{OLD}/24"
printer_interface = "prn0"
box_address = "192.168.200.1/24"
"""


def test_the_box_takes_the_printers_address_at_once_keeps_it_and_gives_it_back(bare: Machine) -> None:
    bare.sh("systemctl unmask systemd-networkd.service systemd-networkd.socket")  # the guest's own network needs none
    bare.sh(CABLES)
    for path, text in (("/root/printer.py", PRINTER), ("/root/till.py", TILL), ("/root/box.toml", ANSWERS + NETWORK)):
        bare.put(path, text.encode())
    bare.put("/root/plain.toml", ANSWERS.encode())
    bare.sh("ip netns exec printer setsid python3 -S /root/printer.py >/dev/null 2>&1 &")
    before = bare.sh("cat /proc/sys/net/ipv4/ip_forward").strip()

    said = bare.sh("edgebox setup --answers /root/box.toml", timeout=180)
    assert "services started" in said
    bare.until(f"ip -4 -o address show dev eth1 | grep -q {OLD}/24", 60)
    bare.until("ip -4 -o address show dev prn0 | grep -q 192.168.200.1/24", 60)
    bare.until(
        f"ip netns exec till python3 -S /root/till.py {OLD} 9100 'Total 5.00' && grep -q 'Total 5.00' /root/paper", 60
    )
    assert bare.sh(f"ip netns exec till python3 -S /root/till.py {OLD} 80").strip() == "page", "the printer's own"
    assert bare.sh("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"

    said = bare.sh("edgebox setup --answers /root/plain.toml", timeout=180)
    assert "50-edgebox-till.network removed" in said
    assert OLD not in bare.sh("ip -4 -o address"), "the printer may have it again"
    assert "192.168.200.1/" not in bare.sh("ip -4 -o address")
    assert "edgebox_till" not in bare.sh("nft list tables")
    assert bare.sh("cat /proc/sys/net/ipv4/ip_forward").strip() == before
