#!/usr/bin/env bash
# Lays out edgebox as it stands on a box: packaging/tree.sh ROOT [ARCH]. ROOT is an empty folder (`make deb`), or /
# (`make install`).
#   /opt/edgebox            a private venv: libraries from box.lock by hash, our packages, config, all compiled
#   /usr/bin/edgebox*       three words that start it
#   /lib/systemd …          units, udev rules, user, folders, journal's limit
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=${1:?usage: packaging/tree.sh ROOT [ARCH]}
ARCH=${2:-$(dpkg --print-architecture)}
PYTHON=${PYTHON:-python3}
ROOT=${ROOT%/}
HOME_DIR=$ROOT/opt/edgebox
SITE=$HOME_DIR/lib/python3.11/site-packages

case $ARCH in
amd64) MACHINE=x86_64 ;;
arm64) MACHINE=aarch64 ;;
*) echo "packaging: no wheels for $ARCH" >&2; exit 1 ;;
esac
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "packaging: needs Python 3.11, as Debian 12 has it: set PYTHON=" >&2; exit 1; }

rm -rf "$HOME_DIR"
mkdir -p "$SITE" "$HOME_DIR/bin"

# --- libraries ---------------------------------------------------------------------------------------------------
LOCK=$(mktemp)
trap 'rm -f "$LOCK"' EXIT
"$PYTHON" packaging/lock_for.py box.lock "$MACHINE" >"$LOCK"
platforms=()
for glibc in manylinux_2_36 manylinux_2_34 manylinux_2_31 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
    platforms+=(--platform "${glibc}_$MACHINE")
done
"$PYTHON" -m pip --disable-pip-version-check install -qq --no-deps --no-compile --only-binary :all: --require-hashes \
    --target "$SITE" --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none "${platforms[@]}" \
    --platform any -r "$LOCK"
# arm64: there is no wheel of evdev; Debian's own package is linked to (control: Depends).
[ "$ARCH" = amd64 ] || ln -s /usr/lib/python3/dist-packages/evdev "$SITE/evdev"
# What only installs, tests or documents.
rm -rf "$SITE"/bin "$SITE"/{pip,setuptools,pkg_resources,_distutils_hack}* "$SITE"/distutils-precedence.pth
find "$SITE" -type d \( -name tests -o -name test -o -name include \) -prune -exec rm -rf {} +
find "$SITE" \( -name '*.pyi' -o -name '*.h' -o -name '*.c' -o -name '*.pyx' \) -delete
rm -rf "$SITE"/barcode/fonts  # nothing here draws its text; Debian's own fonts are recommended
# No library under /opt is started by its name; symbols are for who debugs the library.
find "$SITE" -type f -perm /111 -exec chmod a-x {} +
find "$SITE" -type f -name '*.py' -exec sed -i '1{/^#!/d}' {} +
[ "$ARCH" != "$(dpkg --print-architecture)" ] || ! command -v strip >/dev/null ||
    find "$SITE" -type f -name '*.so*' -exec strip --strip-unneeded {} + 2>/dev/null || true

# --- ours --------------------------------------------------------------------------------------------------------
for package in edgebox drivers sync config; do
    find "$package" -type f ! -name '*.pyc' ! -name '.*' -print0 | cpio -0pdm --quiet "$SITE"
done
rm -f "$SITE"/config/keys.toml
install -Dm644 config/edgebox.toml "$ROOT/usr/share/edgebox/edgebox.toml"

# A venv by hand: pip would write this machine's paths into it.
ln -sf /usr/bin/python3 "$HOME_DIR/bin/python3"
printf 'home = /usr/bin\ninclude-system-site-packages = false\n' >"$HOME_DIR/pyvenv.cfg"
"$PYTHON" -m compileall -qq -j 0 --invalidation-mode unchecked-hash -s "$ROOT" "$SITE" >/dev/null || true

for name in edgebox=edgebox.cli edgebox-line=edgebox.line.daemon edgebox-scan=edgebox.scan.daemon; do
    install -d "$ROOT/usr/bin"
    # -I: neither the caller's folder nor its environment decides what is run.
    printf '#!/opt/edgebox/bin/python3 -I\nimport sys\n\nfrom %s import main\n\nsys.exit(main())\n' "${name#*=}" \
        >"$ROOT/usr/bin/${name%%=*}"
    chmod 755 "$ROOT/usr/bin/${name%%=*}"
done

# --- the system's side -------------------------------------------------------------------------------------------
for unit in systemd/*.service systemd/*.socket systemd/*.target; do
    install -Dm644 "$unit" "$ROOT/lib/systemd/system/$(basename "$unit")"
done
install -Dm644 systemd/60-edgebox.rules "$ROOT/lib/udev/rules.d/60-edgebox.rules"
install -Dm644 systemd/dbus-edgebox.conf "$ROOT/usr/share/dbus-1/system.d/edgebox.conf"
install -Dm644 systemd/sysusers.conf "$ROOT/usr/lib/sysusers.d/edgebox.conf"
install -Dm644 systemd/tmpfiles.conf "$ROOT/usr/lib/tmpfiles.d/edgebox.conf"
install -Dm644 systemd/journald.conf "$ROOT/usr/lib/systemd/journald.conf.d/edgebox.conf"
