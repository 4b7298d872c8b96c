#!/bin/sh
# After the packages are installed: what makes the tree an image that boots fast and has no identity yet.
set -eu
root=$1
here=$(cd "$(dirname "$0")" && pwd)

# Units that a throwaway machine does not need: on an emulated CPU each costs a good part of a second.
chroot "$root" systemctl mask --quiet \
    serial-getty@ttyS0.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount \
    modprobe@drm.service modprobe@efi_pstore.service modprobe@configfs.service modprobe@fuse.service \
    modprobe@loop.service modprobe@dm_mod.service sys-kernel-config.mount sys-fs-fuse-connections.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount \
    cloud-init-hotplugd.socket

cp "$here/modprobe.conf" "$root/etc/modprobe.d/pgfleet.conf"

cp "$here/cloud.cfg" "$root/etc/cloud/cloud.cfg"
rm -f "$root/etc/cloud/cloud.cfg.d/05_logging.cfg"
echo 'policy: enabled' >"$root/etc/cloud/ds-identify.cfg"
echo '/dev/vda / ext4 noatime,x-systemd.growfs 0 0' >"$root/etc/fstab"
install -d "$root/usr/local/lib/pgfleet"
{ echo "#!/usr/bin/python3 -I" && cat "$here/cloud-init"; } >"$root/usr/local/lib/pgfleet/cloud-init"
chmod 0755 "$root/usr/local/lib/pgfleet/cloud-init"
install -d "$root/etc/systemd/system/cloud-init-main.service.d"
printf '[Service]\nExecStart=\nExecStart=/usr/local/lib/pgfleet/cloud-init --all-stages\n' \
    >"$root/etc/systemd/system/cloud-init-main.service.d/pgfleet.conf"
# An initrd that does one thing: the driver of the disk, then the real root.
kernel=$(ls "$root/lib/modules")
tiny=$root/tmp/initrd
mkdir -p "$tiny/bin" "$tiny/dev" "$tiny/proc" "$tiny/root" "$tiny/modules"
cp "$root/bin/busybox" "$tiny/bin/busybox"
{ echo "#!/bin/busybox sh" && cat "$here/init"; } >"$tiny/init"
chmod 0755 "$tiny/init"
for name in virtio_blk virtio_net virtio_rng isofs; do
    chroot "$root" modprobe -S "$kernel" --show-depends "$name"
done | sed -n 's/^insmod //p' | awk '!seen[$1]++ { print $1 }' | while read -r file; do
    name=$(basename "$file" .xz)
    xz -dc "$root/$file" >"$tiny/modules/$name"
    echo "$name" >>"$tiny/modules/order"
done
(cd "$tiny" && find . | LC_ALL=C sort | chroot "$root" sh -c 'cd /tmp/initrd && cpio --quiet -o -H newc -R 0:0' >"$root/initrd.lab")
rm -rf "$tiny"

# Everything above is done: nothing under /usr is newer than these, so the first boot does not do it again.
touch "$root/etc/.updated" "$root/var/.updated"
