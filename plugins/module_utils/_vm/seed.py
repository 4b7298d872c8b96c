# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a machine is told at its first boot, in cloud-init's NoCloud format. No I/O."""

from __future__ import annotations

import json
from typing import Any

from .._machine.values import SSHD, Access, HostKey, hosts_file
from .values import Machine

# Modules of cloud-init that the seed needs; the rest costs seconds of every boot and would do nothing.
_FIRST = ["write_files", "set_hostname", "users_groups", "ssh"]
_GROW = ["growpart", "resizefs"]
# Said here and not by ssh_pwauth, which would take one more module.


def seed_files(machine: Machine, access: Access, host_key: HostKey, partitioned: bool) -> dict[str, str]:
    """Names and texts of the seed's files. JSON is YAML, and needs no other library.

    A ``partitioned`` disk is that of a cloud image: grown by cloud-init, which may be one that does not say of itself when
    it has finished. A disk without partitions is grown by its file system table.
    """
    return {
        "meta-data": json.dumps({"instance-id": machine.uuid, "local-hostname": machine.name}),
        "user-data": "#cloud-config\n" + json.dumps(_user_data(machine, access, host_key, partitioned)),
        "network-config": json.dumps(_network(machine, access)),
    }


def _user_data(machine: Machine, access: Access, host_key: HostKey, partitioned: bool) -> dict[str, Any]:
    return {
        "hostname": machine.name,
        "preserve_hostname": False,
        "manage_etc_hosts": False,
        "disable_root": True,
        "users": [
            {
                "name": access.user,
                "shell": "/bin/bash",
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "lock_passwd": True,
                "ssh_authorized_keys": list(access.authorized_keys),
            }
        ],
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_key.private, "ed25519_public": host_key.public},
        "write_files": [
            {
                "path": "/etc/hosts",
                "permissions": "0644",
                "content": hosts_file({**access.hosts, machine.shape.address: machine.name}),
            },
            {"path": "/etc/ssh/sshd_config.d/10-pgfleet.conf", "permissions": "0644", "content": SSHD},
        ],
        "cloud_init_modules": [*(_GROW if partitioned else []), *_FIRST],
        "cloud_config_modules": [],
        "cloud_final_modules": ["final_message"] if partitioned else [],
    }


def _network(machine: Machine, access: Access) -> dict[str, Any]:
    card: dict[str, Any] = {
        "match": {"macaddress": machine.mac},
        "addresses": [f"{machine.shape.address}/{access.prefix}"],
        "dhcp4": False,
        "dhcp6": False,
        "accept-ra": False,
    }
    if access.gateway:
        # Not "default": netplan knows the word, cloud-init's own renderer does not.
        card["routes"] = [{"to": "0.0.0.0/0", "via": access.gateway}]
    if access.nameservers:
        card["nameservers"] = {"addresses": list(access.nameservers)}
    return {"version": 2, "ethernets": {"lan": card}}
