"""Secrets under a real systemd 252: root's alone in /etc, the service's copies, none at all, and encrypted ones."""

from __future__ import annotations

from tests.vm import figures, shop
from tests.vm.machine import Machine

ENGINE = "edgebox.service"
KEYS = "/etc/edgebox/keys.toml"
COPIES = f"/run/credentials/{ENGINE}"
SLIP_S = 90.0  # under emulation, and the line asks less often for a while when the engine was away
DROP_IN = f"/etc/systemd/system/{ENGINE}.d/encrypted.conf"
ENCRYPTED = """\
[Service]
LoadCredentialEncrypted=keys.toml:/etc/credstore.encrypted/edgebox.keys.toml
"""


def restart(guest: Machine) -> None:
    guest.sh(f"systemctl daemon-reload; systemctl restart {ENGINE}", timeout=120)
    guest.until(f"systemctl is-active {ENGINE} && [ -S /run/edgebox/engine.sock ]", 60)


def said(guest: Machine) -> str:
    """The engine's log since its last start."""
    return guest.sh(f"journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {ENGINE})")


def test_claim_keys_that_only_root_can_read_sign_the_shops_slips(vm: Machine) -> None:
    vm.sh(f"chown root:root {KEYS}; chmod 600 {KEYS}")
    restart(vm)
    figures.note("what the service's copies lie on", vm.sh(f"stat -f -c %T {COPIES}").strip())
    rights = vm.sh(f"stat -c '%a %U' {COPIES}/keys.toml").strip()
    figures.note("its rights", rights)
    assert rights in ("400 edgebox", "440 root")
    assert shop.prints_until_a_slip(vm, SLIP_S) < SLIP_S
    for user, path in (("edgebox", KEYS), ("nobody", f"{COPIES}/keys.toml")):
        status, _ = vm.run(f"runuser -u {user} -- cat {path} >/dev/null 2>&1")
        assert status != 0, f"{user} reads {path}"


def test_a_box_without_any_secret_starts_and_prints(vm: Machine) -> None:
    vm.sh(f"rm -rf {KEYS} /etc/edgebox/credentials")
    restart(vm)
    shop.print_receipts(vm, 1, seed=7)
    assert "no slips" in said(vm)


def test_keys_that_are_encrypted_to_the_machine_sign_slips_and_damaged_ones_stop_no_printing(vm: Machine) -> None:
    kept = "/etc/credstore.encrypted/edgebox.keys.toml"
    vm.sh(
        "mkdir -p -m 700 /etc/credstore.encrypted; systemd-creds setup;"
        f" systemd-creds encrypt --with-key=host --name=keys.toml {KEYS} {kept}; rm {KEYS}",
        timeout=60,
    )
    vm.put(DROP_IN, ENCRYPTED.encode())
    assert b"key = " not in vm.get(kept)
    restart(vm)
    assert shop.prints_until_a_slip(vm, SLIP_S) < SLIP_S
    vm.sh(f"sed -i 's/^..../AAAA/' {kept}")
    status, _ = vm.run(f"systemctl restart {ENGINE}", timeout=120)
    assert status != 0, "a secret that is there and can't be had is not one that isn't there"
    shop.print_receipts(vm, 1, seed=8)
