#!/usr/bin/env bash
# make test-deb: the package in a fresh Debian 12 with nothing else, in a folder of its own. Needs root and mmdebstrap.
# Prints what a box would feel: does it install, check itself, start, print; how soon, and how much memory it takes.
set -euo pipefail
cd "$(dirname "$0")/.."
ARCH=$(dpkg --print-architecture)
DEB=$PWD/build/edgebox_$(sed -n 's/^version = //p' setup.cfg)_$ARCH.deb
[ "$(id -u)" = 0 ] || { echo "test-deb: needs root" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "test-deb: apt-get install mmdebstrap" >&2; exit 1; }
[ -f "$DEB" ] || packaging/deb.sh

ROOT=$(mktemp -d)
trap 'umount -l "$ROOT/proc" "$ROOT/dev" 2>/dev/null || true; rm -rf "$ROOT"' EXIT
SOURCES=/etc/apt/sources.list.d/debian.sources
[ -f "$SOURCES" ] || SOURCES=/etc/apt/sources.list
mmdebstrap -q --variant=apt --mode=root bookworm "$ROOT" "$SOURCES"
mount -t proc proc "$ROOT/proc"
mount --bind /dev "$ROOT/dev"
cp "$DEB" "$ROOT/tmp/edgebox.deb"
cp packaging/feel.py "$ROOT/tmp/feel.py"
inside() { chroot "$ROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
inside apt-get update -qq
inside apt-get install -y -qq --no-install-recommends /tmp/edgebox.deb >"$ROOT/tmp/install.log" 2>&1 ||
    { tail -20 "$ROOT/tmp/install.log"; exit 1; }
echo "installed: $(($(stat -c %s "$DEB") / 1024)) KB, $(inside dpkg-query -W -f '${Installed-Size}' edgebox) KB unpacked"
inside setpriv --reuid=edgebox --regid=edgebox --clear-groups edgebox run --check --config /etc/edgebox/edgebox.toml
inside edgebox slip list >/dev/null
inside python3 -I /tmp/feel.py
# Removed, what the shop has recorded stays; purged, it goes.
touch "$ROOT/var/lib/edgebox/recorded"
inside apt-get remove -y -qq edgebox >/dev/null 2>&1
[ -e "$ROOT/var/lib/edgebox/recorded" ] && [ ! -e "$ROOT/usr/bin/edgebox" ]
inside apt-get purge -y -qq edgebox >/dev/null 2>&1
[ ! -e "$ROOT/var/lib/edgebox" ] && [ ! -e "$ROOT/etc/edgebox" ]
leftovers=$(find "$ROOT/opt" "$ROOT/usr" -name "*edgebox*" 2>/dev/null | head -5 || true)
[ -z "$leftovers" ] || { echo "left behind: $leftovers"; exit 1; }
echo "removed and purged: nothing is left"
