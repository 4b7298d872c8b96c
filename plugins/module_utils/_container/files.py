# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a machine has of its own beside the tree that all share: the files of its upper layer. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .._machine.values import SSHD, Access, HostKey, hosts_file
from .machine import Machine

USER_ID = 1000


@dataclass(frozen=True)
class File:
    """A file of a machine; owner and group are numbers."""

    text: str
    mode: int = 0o644
    owner: int = 0
    group: int = 0


def own_files(machine: Machine, access: Access, host_key: HostKey, shared: Mapping[str, str]) -> dict[str, File]:
    """Paths from the machine's root. ``shared`` are the texts of the tree's passwd, shadow and group.

    The network file sorts before systemd's own 80-container-host0.network.
    """
    user = access.user
    ssh = f"home/{user}/.ssh/authorized_keys"
    return {
        "etc/hostname": File(f"{machine.name}\n"),
        "etc/hosts": File(hosts_file({**access.hosts, machine.shape.address: machine.name})),
        "etc/passwd": File(_with(shared["passwd"], f"{user}:x:{USER_ID}:{USER_ID}::/home/{user}:/bin/bash")),
        "etc/group": File(_with(shared["group"], f"{user}:x:{USER_ID}:")),
        "etc/shadow": File(
            _with(shared["shadow"], f"{user}:*:20000:0:99999:7:::"), 0o640, group=_shadow(shared["group"])
        ),
        f"etc/sudoers.d/{user}": File(f"{user} ALL=(ALL) NOPASSWD:ALL\n", 0o440),
        "etc/ssh/ssh_host_ed25519_key": File(host_key.private, 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": File(host_key.public),
        "etc/ssh/sshd_config.d/10-pgfleet.conf": File(SSHD),
        "etc/systemd/network/10-host0.network": File(_network(machine, access)),
        ssh: File("".join(f"{key.strip()}\n" for key in access.authorized_keys), 0o600, USER_ID, USER_ID),
    }


def _with(text: str, line: str) -> str:
    """Users of the tree stay; one of that name is replaced."""
    name = line.split(":", 1)[0] + ":"
    return "".join(f"{each}\n" for each in [*(old for old in text.splitlines() if not old.startswith(name)), line])


def _shadow(group: str) -> int:
    """The number of the group that may read the passwords."""
    return next((int(line.split(":")[2]) for line in group.splitlines() if line.startswith("shadow:")), 0)


def _network(machine: Machine, access: Access) -> str:
    gateway = f"Gateway={access.gateway}\n" if access.gateway else ""
    return (
        "[Match]\nName=host0\n\n"
        f"[Link]\nMACAddress={machine.mac}\n\n"
        f"[Network]\nAddress={machine.shape.address}/{access.prefix}\n{gateway}LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )
