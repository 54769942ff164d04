#!/usr/bin/env bash
# Lays out one slot: packaging/slot.sh FOLDER [ARCH] [VERSION]. A private venv: libraries from box.lock by hash, our
# packages and config, all compiled; what starts them in bin/. slot.json comes last: it says that the slot is whole.
# `make deb` puts it into slot a of the package, `make update` into an update file.
set -euo pipefail
cd "$(dirname "$0")/.."
SLOT=${1:?usage: packaging/slot.sh FOLDER [ARCH] [VERSION]}
ARCH=${2:-$(dpkg --print-architecture)}
VERSION=${3:-$(sed -n 's/^version = //p' setup.cfg)}
PYTHON=${PYTHON:-python3}
SITE=$SLOT/lib/python3.11/site-packages

case $ARCH in
amd64) MACHINE=x86_64 ;;
arm64) MACHINE=aarch64 ;;
*) echo "packaging: no wheels for $ARCH" >&2; exit 1 ;;
esac
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "packaging: needs Python 3.11, as Debian 12 has it: set PYTHON=" >&2; exit 1; }

umask 022
rm -rf "$SLOT"
mkdir -p "$SITE" "$SLOT/bin"

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
# Who we are (importlib.metadata): what pip would have written.
INFO=$SITE/edgebox-$VERSION.dist-info
mkdir "$INFO"
printf 'Metadata-Version: 2.1\nName: edgebox\nVersion: %s\n' "$VERSION" >"$INFO/METADATA"

for name in edgebox=edgebox.cli edgebox-line=edgebox.line.daemon edgebox-scan=edgebox.scan.daemon; do
    printf 'import sys\n\nfrom %s import main\n\nsys.exit(main())\n' "${name#*=}" >"$SLOT/bin/${name%%=*}"
done
# A venv by hand: pip would write this machine's paths into it. Files are named by the slot that runs them: `current`.
ln -sf /usr/bin/python3 "$SLOT/bin/python3"
printf 'home = /usr/bin\ninclude-system-site-packages = false\n' >"$SLOT/pyvenv.cfg"
"$PYTHON" -m compileall -qq -j 0 --invalidation-mode unchecked-hash -s "$SLOT" -p /opt/edgebox/current "$SITE" \
    >/dev/null || true
# Root runs it: nobody else may own or write a file of it, whoever owns the checkout.
chmod -R u=rwX,go=rX "$SLOT"
[ "$(id -u)" != 0 ] || chown -hR 0:0 "$SLOT"
printf '{"version": "%s"}\n' "$VERSION" >"$SLOT/slot.json"
