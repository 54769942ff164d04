#!/usr/bin/env bash
# tests/vm/image.sh: the guest's disk, kernel and first RAM disk, from Debian's packages and build/edgebox_*.deb.
# Prints the folder that holds them: build/vm/image-KEY. Needs root. What has been made once is not made again:
#   build/vm/debian-KEY.tar   Debian, by the list of packages   (40 s)
#   build/vm/kernel           the kernel's package, unpacked    (10 s)
#   build/vm/image-KEY        all of it with our package in it  (10 s), by the content of everything that goes in
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PATH:/usr/sbin:/sbin
HERE=tests/vm
OUT=$PWD/build/vm
DEB=build/edgebox_$(sed -n 's/^version = //p' setup.cfg)_amd64.deb
KEPT=6  # images of earlier packages; older ones go
mkdir -p "$OUT"
exec 8>"$OUT/.lock"
flock 8
say() { echo "image: $* ($(($(date +%s) - STARTED)) s)" >&2; }
STARTED=$(date +%s)
words() { grep -v '^#' "$1" | tr '\n' ' '; }

# --- Debian ------------------------------------------------------------------------------------------------------
SOURCES=/etc/apt/sources.list.d/debian.sources
[ -f "$SOURCES" ] || SOURCES=/etc/apt/sources.list
PACKAGES=$(words $HERE/guest-packages.txt)
DEBIAN=$OUT/debian-$(sha256sum $HERE/guest-packages.txt | cut -c1-12).tar
if [ ! -s "$DEBIAN" ]; then
    mmdebstrap --quiet --variant=minbase --mode=root --format=tar --include="$(tr ' ' ',' <<<"${PACKAGES% }")" \
        --aptopt='Apt::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        bookworm "$DEBIAN.half" "$SOURCES" >&2
    mv "$DEBIAN.half" "$DEBIAN"
    say "Debian made"
fi

# --- kernel ------------------------------------------------------------------------------------------------------
if [ ! -d "$OUT/kernel" ]; then
    rm -rf "$OUT/kernel.half" && mkdir "$OUT/kernel.half"
    name=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/{print $2; exit}')
    (cd "$OUT/kernel.half" && apt-get download -q "$name" >/dev/null 2>&1 && dpkg-deb -x ./*.deb . && rm ./*.deb)
    depmod -b "$OUT/kernel.half" "$(ls "$OUT/kernel.half/lib/modules")"
    mv "$OUT/kernel.half" "$OUT/kernel"
    say "kernel fetched"
fi
VERSION=$(ls "$OUT/kernel/lib/modules")

# --- is it there? ------------------------------------------------------------------------------------------------
KEY=$({ cat "$DEB" $HERE/image.sh $HERE/modules.txt $HERE/vmlinux.py $HERE/guest/{agent*,*.service,init,sim-python}
        cat $HERE/{machine,snapshot,shop,updates}.py $HERE/guest/programs/*.py  # snapshots lie in the image's folder
        echo "$DEBIAN $VERSION"; find hw_sim -name '*.py' -print0 | sort -z | xargs -0 cat; } | sha256sum | cut -c1-12)
IMAGE=$OUT/image-$KEY
if [ -e "$IMAGE/ok" ]; then
    touch "$IMAGE"
    echo "$IMAGE"
    exit
fi
rm -rf "$IMAGE" && mkdir "$IMAGE"
R=$IMAGE/root
trap 'rm -rf "$R" "$IMAGE/ramdisk"' EXIT
mkdir "$R" && tar -C "$R" --xattrs -xf "$DEBIAN"

# --- our package, as apt would leave it --------------------------------------------------------------------------
cp "$DEB" "$R/tmp/edgebox.deb"
chroot "$R" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/edgebox.deb >&2
rm "$R/tmp/edgebox.deb"
say "package installed"

# --- kernel modules, the tests' way in, simulated hardware -------------------------------------------------------
needed() {  # files of modules and of what they need; what is built into the kernel has none
    for name in "$@"; do
        modprobe -d "$OUT/kernel" -S "$VERSION" --show-depends "$name" || say "the kernel has no module $name"
    done 2>/dev/null | awk '/^insmod/ && !seen[$2]++ {print $2}'
}
# shellcheck disable=SC2046
(cd "$OUT/kernel" && needed $(words "$OLDPWD/$HERE/modules.txt") | sed "s|^$OUT/kernel/*||" | cpio -pdm --quiet "$R")
cp "$OUT/kernel/lib/modules/$VERSION"/modules.{builtin,order,builtin.modinfo} "$R/lib/modules/$VERSION/"
depmod -b "$R" "$VERSION"
install -m755 $HERE/guest/agent $HERE/guest/sim-python "$R/usr/local/sbin/"
install -m644 $HERE/guest/*.service $HERE/guest/*.socket "$R/etc/systemd/system/"
mkdir -p "$R/usr/local/lib/edgebox-sim"
find hw_sim -name '*.py' -print0 | cpio -0pdm --quiet "$R/usr/local/lib/edgebox-sim"
chroot "$R" python3 -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/edgebox-sim >/dev/null || true

# --- a machine of its own, less what only costs time under emulation ---------------------------------------------
echo box >"$R/etc/hostname"
printf '127.0.0.1 localhost box\n' >"$R/etc/hosts"
: >"$R/etc/fstab"
printf '%032x\n' 0x7b0a >"$R/etc/machine-id"
chroot "$R" passwd -d root >/dev/null 2>&1
chroot "$R" systemctl enable -q agent.socket cable.service ready.service >&2
chroot "$R" systemctl disable -q mosquitto.service 2>/dev/null || true
chroot "$R" systemctl set-default -q multi-user.target
for unit in getty.target getty@tty1.service serial-getty@ttyS0.service systemd-timesyncd.service \
    systemd-networkd.service systemd-update-utmp.service systemd-update-utmp-runlevel.service apt-daily.timer \
    apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer \
    systemd-pstore.service modprobe@drm.service modprobe@dm_mod.service modprobe@efi_pstore.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount systemd-firstboot.service \
    systemd-ask-password-wall.path systemd-ask-password-console.path systemd-binfmt.service systemd-logind.service \
    systemd-user-sessions.service user.slice systemd-machine-id-commit.service systemd-boot-system-token.service \
    proc-sys-fs-binfmt_misc.automount remote-fs.target; do
    ln -sfn /dev/null "$R/etc/systemd/system/$unit"
done

# --- first RAM disk ----------------------------------------------------------------------------------------------
I=$IMAGE/ramdisk
mkdir -p "$I"/{bin,modules,dev,proc,root}
cp -L "$R/bin/busybox" "$I/bin/"
ldd "$I/bin/busybox" 2>/dev/null | grep -o '/lib[^ ]*' | while read -r library; do
    mkdir -p "$I$(dirname "$library")" && cp -L "$R$library" "$I$library"
done
number=100
for module in $(needed virtio_pci virtio_mmio virtio_blk ext4 virtio_net virtio_console); do
    number=$((number + 1))
    cp "$module" "$I/modules/$number-$(basename "$module")"
done
install -m755 $HERE/guest/init "$I/init"
(cd "$I" && find . | cpio -o -H newc --quiet | gzip -1) >"$IMAGE/ramdisk.gz"

# --- disk --------------------------------------------------------------------------------------------------------
python3 $HERE/vmlinux.py "$OUT/kernel/boot/vmlinuz-$VERSION" "$IMAGE/vmlinux"
truncate -s 1500M "$IMAGE/disk.raw"
mke2fs -q -t ext4 -F -L root -O ^metadata_csum_seed -E lazy_itable_init=0,lazy_journal_init=0 -d "$R" "$IMAGE/disk.raw"
qemu-img convert -O qcow2 "$IMAGE/disk.raw" "$IMAGE/disk.qcow2"
rm -f "$IMAGE/disk.raw"
touch "$IMAGE/ok"
say "$(du -h "$IMAGE/disk.qcow2" | cut -f1) disk"
# shellcheck disable=SC2012
ls -dt "$OUT"/image-*/ | tail -n +$((KEPT + 1)) | xargs -r rm -rf
echo "$IMAGE"
