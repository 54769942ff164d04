#!/usr/bin/env bash
# Gets a clone ready to run and test: Debian packages, .venv from requirements.lock, the project itself.
# Safe to call before every command: it compares keys and does only what has changed since the last time.
# Never needs root: what only root could install is named, and the rest goes on.
# ./setup.sh FILE: the Debian packages that this file lists, too.
set -euo pipefail
cd "$(dirname "$0")"

PYTHON=${PYTHON:-python3}
PACKAGES=(edgebox drivers sync hw_sim tests)
LISTS=(debian-packages.txt "$@")
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

# Two shells may call `make` in one tree at once: the second waits for the first. The lock is on this script itself.
exec 9<"$0"
flock 9

# --- Debian packages ---------------------------------------------------------------------------------------------
missing_packages() {
    local installed
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
    cat "${LISTS[@]}" | grep -v '^#' | while read -r name _; do
        grep -qx -- "$name" <<<"$installed" || echo "$name"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

may_be_root() {
    [ "$(id -u)" = 0 ] && return
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }
}

install_packages() {
    say "installing Debian packages: $*"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120)
    local log
    # An update that fails may still leave lists that do. 9>&-: a service started by a package must not keep our lock.
    log=$({ as_root "${apt[@]}" update || true; as_root "${apt[@]}" install -y --no-install-recommends "$@"; } \
        2>&1 9>&-) || { tail -n 5 <<<"$log"; return 1; }
}

debian_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "this is not Debian: install what debian-packages.txt lists by your own means"
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} = 0 ] && return
    if may_be_root && install_packages "${missing[@]}"; then return; fi
    say "these Debian packages are missing and could not be installed; going on without:"
    for name in "${missing[@]}"; do say "  $(grep -h "^$name " "${LISTS[@]}")"; done
    say "to add them: sudo apt-get install --no-install-recommends ${missing[*]}"
}

# --- Python ------------------------------------------------------------------------------------------------------
check_python() {
    command -v "$PYTHON" >/dev/null || die "no $PYTHON here: install Python 3.11 or newer, or set PYTHON=/path/to/python3"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "edgebox needs Python 3.11 or newer, $PYTHON is $("$PYTHON" -V 2>&1): set PYTHON=/path/to/python3.11"
}

# A venv can neither be moved nor change its interpreter: this key says when it must be made anew.
venv_key() {
    echo "$PWD"
    "$PYTHON" -c 'import sys; print(sys.version, sys.base_prefix, sep="\n")'
}

# What is installed into it follows from these files alone.
install_key() {
    sha256sum requirements.lock setup.cfg pyproject.toml setup.sh
}

make_venv() {
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        die "$PYTHON cannot make virtual environments: sudo apt-get install python3-venv"
    say "making .venv with $("$PYTHON" -V)"
    rm -rf .venv
    "$PYTHON" -m venv .venv
    venv_key >.venv/edgebox-venv-key
}

install_project() {
    say "installing what requirements.lock names"
    .venv/bin/python -m pip install -qq --no-compile --require-hashes -r requirements.lock
    # compat: a plain .pth line; the default's import hook costs every start of the line's process some milliseconds.
    .venv/bin/python -m pip install -qq --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
    say "compiling"
    # Some libraries ship files for other Pythons; those do not compile, and nothing here imports them.
    .venv/bin/python -m compileall -qq -j 0 .venv/lib "${PACKAGES[@]}" >/dev/null || true
    install_key >.venv/edgebox-install-key
}

debian_packages
check_python
[ "$(venv_key)" = "$(cat .venv/edgebox-venv-key 2>/dev/null)" ] || make_venv
if [ "$(install_key)" != "$(cat .venv/edgebox-install-key 2>/dev/null)" ]; then
    install_project
    say "done"
fi
