#!/bin/sh
# Debian by mmdebstrap, as a disk without partitions and boot loader, with kernel and initrd beside it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# Where this machine's own apt gets Debian from, unless a mirror is given; the tool's default where it gets it nowhere.
configured() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" | head -n 1
}

sources() {
    mirror=${MIRROR:-$(configured Debian)}
    [ -n "$mirror" ] || return 0
    echo "deb $mirror $SUITE main"
    echo "deb $mirror $SUITE-updates main"
    security=$(configured Debian-Security)
    [ -z "$security" ] || echo "deb $security $SUITE-security main"
}

lines=$(sources)
printf '%s\n' "$lines" | mmdebstrap --variant=apt --mode=root --quiet --include="$PACKAGES" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*/LC_MESSAGES/*' \
    --essential-hook="sh '$here/prepare.sh' \"\$1\"" \
    --customize-hook="sh '$here/customize.sh' \"\$1\"" \
    "$SUITE" "$WORK/root" ${lines:+-}

cp -L "$WORK/root/vmlinuz" "$WORK/image/vmlinuz"
mv "$WORK/root/initrd.lab" "$WORK/image/initrd.img"
chroot "$WORK/root" dpkg-query -W -f '${Version}' "postgresql-$VERSION" >"$WORK/postgresql"
mke2fs -q -t ext4 -L root -d "$WORK/root" "$WORK/disk.raw" "$SIZE"
qemu-img convert -O qcow2 "$WORK/disk.raw" "$WORK/image/disk.qcow2"
