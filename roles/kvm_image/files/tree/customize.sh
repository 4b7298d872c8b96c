#!/bin/sh
# What only a machine with hardware of its own needs.
set -eu
root=$1
chroot "$root" systemctl mask --quiet systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
    systemd-udev-trigger.service console-getty.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount

# Everything is done: nothing under /usr is newer than these, so the first boot does not do it again.
touch "$root/etc/.updated" "$root/var/.updated"
