#!/usr/bin/env bash
# make deb: build/edgebox_VERSION_ARCH.deb for this machine; `packaging/deb.sh arm64` for another one (nothing is run there).
set -euo pipefail
cd "$(dirname "$0")/.."
ARCH=${1:-$(dpkg --print-architecture)}
VERSION=$(sed -n 's/^version = //p' setup.cfg)
ROOT=build/deb-$ARCH
OUT=build/edgebox_${VERSION}_$ARCH.deb

mkdir -p build
exec 7>build/.deb.lock  # one at a time in one tree
flock 7
rm -rf "$ROOT"
mkdir -p "$ROOT/DEBIAN"
umask 022
packaging/tree.sh "$PWD/$ROOT" "$ARCH"

DOC=$ROOT/usr/share/doc/edgebox
install -Dm644 packaging/debian/copyright "$DOC/copyright"
install -Dm644 packaging/debian/lintian-overrides "$ROOT/usr/share/lintian/overrides/edgebox"
# With the pages that the README leads to: who stands on the ladder may have no network.
for page in README.md BENCHMARKS.md systemd/README.md $(find docs -type f ! -name '*.pyc'); do
    install -Dm644 "$page" "$DOC/$page"
done
DATE=$(git log -1 --format=%cD 2>/dev/null || date -R)
printf 'edgebox (%s) stable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- edgebox <edgebox@example.com>  %s\n' \
    "$VERSION" "$DATE" | gzip -9n >"$DOC/changelog.gz"
gzip -9nc CHANGELOG.md >"$DOC/CHANGELOG.md.gz"
for page in packaging/debian/*.1; do
    install -d "$ROOT/usr/share/man/man1"
    gzip -9nc "$page" >"$ROOT/usr/share/man/man1/$(basename "$page").gz"
done

DEPENDS="libc6 (>= 2.36), python3 (>= 3.11), python3 (<< 3.12), libusb-1.0-0, systemd | systemd-sysusers, systemd | systemd-tmpfiles, udev"
[ "$ARCH" = amd64 ] || DEPENDS="$DEPENDS, python3-evdev"
SIZE=$(du -sk --exclude=DEBIAN "$ROOT" | cut -f1)
sed -e "s/@VERSION@/$VERSION/; s/@ARCH@/$ARCH/; s/@SIZE@/$SIZE/; s/@DEPENDS@/$DEPENDS/" \
    packaging/debian/control >"$ROOT/DEBIAN/control"
for script in preinst postinst prerm postrm; do
    [ -f "packaging/debian/$script" ] && install -m755 "packaging/debian/$script" "$ROOT/DEBIAN/$script"
done
(cd "$ROOT" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$ROOT/DEBIAN/md5sums"
chmod 644 "$ROOT/DEBIAN/md5sums"
find "$ROOT" -type d -exec chmod 755 {} +
find "$ROOT" -type f ! -perm /111 -exec chmod 644 {} +
dpkg-deb --root-owner-group -Zxz --build "$ROOT" "$OUT" >/dev/null
echo "$OUT: $(($(stat -c %s "$OUT") / 1024)) KB, $((SIZE / 1024)) MB installed"
