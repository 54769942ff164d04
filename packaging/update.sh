#!/usr/bin/env bash
# make update KEY=release-2026.key: build/edgebox_VERSION_ARCH.update for this machine, signed; ARCH=arm64 for another.
# REPLACES=0.1.0: the oldest version that it may replace.
set -euo pipefail
cd "$(dirname "$0")/.."
ARCH=${1:-$(dpkg --print-architecture)}
KEY=${KEY:?make update KEY=FILE: the release key; edgebox release key NAME --in DIR makes one}
VERSION=$(sed -n 's/^version = //p' setup.cfg)
PYTHON=${PYTHON:-python3}
SLOT=build/slot-$ARCH

mkdir -p build
exec 7>build/.update.lock  # one at a time in one tree
flock 7
umask 022
packaging/slot.sh "$PWD/$SLOT" "$ARCH"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s) "$PYTHON" -m edgebox.cli release make "$SLOT" \
    "build/edgebox_${VERSION}_$ARCH.update" --key "$KEY" --version "$VERSION" --arch "$ARCH" \
    --replaces "${REPLACES:-0.0.0}"
