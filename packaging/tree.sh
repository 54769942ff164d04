#!/usr/bin/env bash
# Lays out edgebox as it stands on a box: packaging/tree.sh ROOT [ARCH]. ROOT is an empty folder (`make deb`), or /
# (`make install`).
#   /opt/edgebox/slots/a    the packaged slot (packaging/slot.sh); slots b and c, `current` and trials are the box's own
#   /usr/bin/edgebox*       three words that start what `current` names
#   /usr/lib/edgebox        the keeper, which judges a new version and is no part of one
#   /lib/systemd …          units, udev rules, user, folders, journal's limit
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=${1:?usage: packaging/tree.sh ROOT [ARCH]}
ARCH=${2:-$(dpkg --print-architecture)}
ROOT=${ROOT%/}
umask 022

packaging/slot.sh "$ROOT/opt/edgebox/slots/a" "$ARCH"
install -Dm644 config/edgebox.toml "$ROOT/usr/share/edgebox/edgebox.toml"
install -Dm644 config/answers.toml "$ROOT/usr/share/edgebox/answers.toml"

for name in edgebox edgebox-line edgebox-scan; do
    install -d "$ROOT/usr/bin"
    # The slot is named once: what a process loads later is of the version that it began with, whatever `current` names
    # by then. -I: neither the caller's folder nor its environment decides what is run.
    printf '#!/bin/sh\nslot=$(readlink -f /opt/edgebox/current)\nexec "$slot/bin/python3" -I "$slot/bin/%s" "$@"\n' \
        "$name" >"$ROOT/usr/bin/$name"
    chmod 755 "$ROOT/usr/bin/$name"
done

# --- the keeper --------------------------------------------------------------------------------------------------
rm -rf "$ROOT/usr/lib/edgebox"
for module in edgebox/appliance/keeper/*.py; do
    install -Dm644 "$module" "$ROOT/usr/lib/edgebox/keeper/$(basename "$module")"
done
printf '%s\n' '#!/usr/bin/python3 -IB' 'import sys' '' 'sys.path.insert(0, "/usr/lib/edgebox")' '' \
    'from keeper.watch import main' '' 'sys.exit(main())' >"$ROOT/usr/lib/edgebox/edgebox-keeper"
chmod 755 "$ROOT/usr/lib/edgebox/edgebox-keeper"
for key in packaging/release-keys/*.pub; do
    [ ! -f "$key" ] || install -Dm644 "$key" "$ROOT/usr/share/edgebox/release-keys/$(basename "$key")"
done

# --- the system's side -------------------------------------------------------------------------------------------
for unit in systemd/*.service systemd/*.socket systemd/*.target systemd/*.path; do
    install -Dm644 "$unit" "$ROOT/lib/systemd/system/$(basename "$unit")"
done
install -Dm644 systemd/60-edgebox.rules "$ROOT/lib/udev/rules.d/60-edgebox.rules"
install -Dm644 systemd/dbus-edgebox.conf "$ROOT/usr/share/dbus-1/system.d/edgebox.conf"
install -Dm644 systemd/bluetooth.conf "$ROOT/lib/systemd/system/bluetooth.service.d/edgebox.conf"
install -Dm644 systemd/modules.conf "$ROOT/usr/lib/modules-load.d/edgebox.conf"
install -Dm644 systemd/sysusers.conf "$ROOT/usr/lib/sysusers.d/edgebox.conf"
install -Dm644 systemd/tmpfiles.conf "$ROOT/usr/lib/tmpfiles.d/edgebox.conf"
install -Dm644 systemd/journald.conf "$ROOT/usr/lib/systemd/journald.conf.d/edgebox.conf"
