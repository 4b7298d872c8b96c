#!/bin/sh
# Before the packages are installed: what they would otherwise do unasked.
set -eu
root=$1
mkdir -p "$root/etc/postgresql-common/createcluster.d" "$root/etc/initramfs-tools/conf.d"
echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.d/pgfleet.conf"
echo "$LOCALE ${LOCALE##*.}" >"$root/etc/locale.gen"
# An image has an initrd of its own, the package's would take a minute of every build and boot; a container has none.
printf '#!/bin/sh\nexit 0\n' >"$root/usr/sbin/update-initramfs"
