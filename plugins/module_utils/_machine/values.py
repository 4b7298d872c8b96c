# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Names, addresses, keys and users of a machine. No I/O."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from .._errors import InvalidInput

LIVE, RESTART, REBUILD = "live", "restart", "rebuild"
SSHD = "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LOOPBACK_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


def short_hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Machine:
    """A machine as the user wants it. ``shape``: all by which two machines of one name can differ."""

    name: str
    shape: Any

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                f"'{self.name}' is not a name for a machine.",
                "Use 1 to 63 lower-case letters, digits and hyphens, as for a host name.",
            )
        try:
            ipaddress.IPv4Address(self.shape.address)
        except ValueError as error:
            raise InvalidInput(
                f"The address of machine '{self.name}', '{self.shape.address}', is not an IPv4 address.",
                "Give one, without a mask.",
            ) from error

    @property
    def mac(self) -> str:
        """Always the same for one name, in the range that QEMU's machines use."""
        digits = hashlib.sha256(self.name.encode()).hexdigest()
        return f"52:54:00:{digits[0:2]}:{digits[2:4]}:{digits[4:6]}"


class Found(Protocol):
    """A machine that is there. ``shape`` is None for one that is not of this collection."""

    @property
    def name(self) -> str: ...
    @property
    def fleet(self) -> str: ...
    @property
    def shape(self) -> Any: ...
    @property
    def is_kept_off(self) -> bool: ...
    @property
    def shown_state(self) -> str: ...


def is_ours(found: Found, fleet: str) -> bool:
    return found.shape is not None and found.fleet == fleet


@dataclass(frozen=True)
class HostKey:
    """An ed25519 host key that is known before the machine is."""

    private: str
    public: str


def host_keys(machines: list[dict[str, Any]], check_mode: bool) -> dict[str, HostKey]:
    """By the machine's name. In check mode a key may not be there yet."""
    for machine in machines:
        if not check_mode and not (machine["host_key"] and machine["host_public_key"]):
            raise InvalidInput(f"Machine '{machine['name']}' has no host key.", "Give host_key and host_public_key.")
    return {
        machine["name"]: HostKey(machine["host_key"] or "", machine["host_public_key"] or "") for machine in machines
    }


@dataclass(frozen=True)
class Access:
    """Who may log in, and the network around the machine. ``hosts`` are names by address."""

    user: str
    authorized_keys: tuple[str, ...]
    prefix: int
    gateway: str
    hosts: Mapping[str, str]
    nameservers: tuple[str, ...] = ()

    def hash(self, host_key: HostKey) -> str:
        """Of all that a machine is given, without the names of others: those change as a fleet grows."""
        public = " ".join(host_key.public.split()[:2])
        return short_hash(self.user, *self.authorized_keys, str(self.prefix), self.gateway, *self.nameservers, public)


def hosts_file(hosts: Mapping[str, str]) -> str:
    """All nodes by name: neither sudo nor a server then waits for a name server."""
    by_address = sorted(hosts.items(), key=lambda item: ipaddress.ip_address(item[0]))
    return _LOOPBACK_HOSTS + "".join(f"{address} {name}\n" for address, name in by_address)


def result_of(shape: Any, state: str) -> dict[str, Any]:
    """A machine in a diff."""
    return {"state": state, **(asdict(shape) if shape else {})}
