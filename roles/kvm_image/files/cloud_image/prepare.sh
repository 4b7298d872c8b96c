#!/bin/sh
# Runs in the machine: what role pg_server would install on a node, then nothing that tells this machine from its copies.
set -eu
export DEBIAN_FRONTEND=noninteractive
trap 'systemctl poweroff --no-block' EXIT
{
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/pgfleet.conf
    apt-get update -q
    if [ '@REPOSITORY@' = pgdg ]; then
        apt-get install -y -q --no-install-recommends postgresql-common ca-certificates
        sh /usr/share/postgresql-common/pgdg/*.sh -y
    fi
    # shellcheck disable=SC2046
    apt-get install -y -q --no-install-recommends $(echo '@PACKAGES@' | tr , ' ')
    locale=@LOCALE@
    grep -q "^$locale " /etc/locale.gen 2>/dev/null || echo "$locale ${locale##*.}" >>/etc/locale.gen
    locale-gen
    apt-get clean

    rm -f /etc/ssh/ssh_host_* /etc/netplan/50-cloud-init.yaml /etc/systemd/network/10-cloud-init-* /var/lib/dbus/machine-id
    cloud-init clean --logs
    : >/etc/machine-id
    passwd --quiet --lock root
    sync
} >/dev/console 2>&1
version=$(dpkg-query -W -f '${Version}\n' 'postgresql-[0-9]*' | grep . | head -n 1)
echo "pgfleet-prepared $version " >/dev/console
