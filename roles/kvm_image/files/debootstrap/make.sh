#!/bin/sh
# Debian by mmdebstrap, as a disk without partitions and boot loader, with kernel and initrd beside it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

. "$here/../debian/mmdebstrap.sh"
debian

cp -L "$WORK/root/vmlinuz" "$WORK/image/vmlinuz"
mv "$WORK/root/initrd.lab" "$WORK/image/initrd.img"
mke2fs -q -t ext4 -L root -d "$WORK/root" "$WORK/disk.raw" "$SIZE"
qemu-img convert -O qcow2 "$WORK/disk.raw" "$WORK/image/disk.qcow2"
