#!/usr/bin/env bash
# make test-vm: the package, the guest's disk, the tests. EDGEBOX_VM=required (CI): what can't be run is a failure;
# else it is said and skipped. EDGEBOX_VM_TESTS: only some (`tests/vm/test_units.py -k watchdog`).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PATH:/usr/sbin:/sbin

skip() {
    echo "test-vm: SKIPPED: $*" >&2
    [ "${EDGEBOX_VM:-}" = required ] && exit 1
    exit 0
}

[ "$(uname -m)" = x86_64 ] || skip "the guest is x86-64, and so are its packages; this machine is $(uname -m)"
[ "$(id -u)" = 0 ] || skip "making the guest's disk needs root"
./setup.sh tests/vm/debian-packages.txt
for program in qemu-system-x86_64 qemu-img mmdebstrap mke2fs depmod cpio; do
    command -v "$program" >/dev/null || skip "no $program (tests/vm/debian-packages.txt says which packages)"
done

STARTED=$(date +%s)
PYTHON=$PWD/.venv/bin/python packaging/deb.sh
EDGEBOX_VM_IMAGE=$(tests/vm/image.sh)
export EDGEBOX_VM_IMAGE
rm -f artefacts/vm-figures.json
# shellcheck disable=SC2086
.venv/bin/python -m pytest ${EDGEBOX_VM_TESTS:-tests/vm} -n 0 --durations=8
echo "test-vm: $(($(date +%s) - STARTED)) s"
