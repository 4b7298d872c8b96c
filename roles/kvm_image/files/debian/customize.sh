#!/bin/sh
# After the packages are installed: what every copy of the tree is spared, and nothing that tells it from the others.
set -eu
root=$1

chroot "$root" systemctl mask --quiet \
    apt-daily.service apt-daily.timer apt-daily-upgrade.service apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer getty-static.service getty@tty1.service \
    systemd-networkd-wait-online.service systemd-pstore.service systemd-hwdb-update.service \
    sshd-keygen.service ssh.socket remote-fs.target
for generator in ssh gpt-auto tpm2 hibernate-resume system-update rc-local; do
    mkdir -p "$root/etc/systemd/system-generators"
    ln -s /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
done
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\n' >"$root/etc/systemd/journald.conf.d/pgfleet.conf"
echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
chroot "$root" systemctl enable --quiet systemd-networkd.service

: >"$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/etc/hostname"
chroot "$root" passwd --quiet --lock root
