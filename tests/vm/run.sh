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
# What fails while guests share the machine is tried once more by itself, and says so; what fails again has failed.
test_in_guest() {
    .venv/bin/python -m pytest "$@" --durations=5 && return
    echo "test-vm: ONCE MORE, alone on the machine: what failed just now"
    .venv/bin/python -m pytest tests/vm --last-failed --last-failed-no-failures none -n 0
}
if [ -n "${EDGEBOX_VM_TESTS:-}" ]; then
    # shellcheck disable=SC2086
    test_in_guest $EDGEBOX_VM_TESTS -n 0
else
    # What is timed has the machine for itself; what is only right or wrong goes two at a time.
    timed=(tests/vm/test_guest.py tests/vm/test_boot.py tests/vm/test_units.py)
    test_in_guest "${timed[@]}" -n 0
    test_in_guest tests/vm "${timed[@]/#/--ignore=}" -n 2 --dist worksteal
    packaging/try_deb.sh
fi
echo "test-vm: $(($(date +%s) - STARTED)) s"
