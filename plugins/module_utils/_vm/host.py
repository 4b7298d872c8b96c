# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A hypervisor: what it has, read by libvirt and from its files."""

from __future__ import annotations

import ipaddress
import os
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .._errors import InvalidInput, MachineConflict, PgFleetError
from .domain import Hardware, Image, Places, read_domain
from .values import UNIT_GB, Domain, Host

try:
    import libvirt

    LIBVIRT_TROUBLE = ""
except ImportError as error:
    libvirt = None
    LIBVIRT_TROUBLE = str(error)

_QCOW2 = b"QFI\xfb"


@contextmanager
def hypervisor(uri: str) -> Iterator[Any]:
    """A connection to libvirt; its errors become ours."""
    if libvirt is None:
        raise PgFleetError(
            f"The Python package libvirt is missing on the hypervisor ({LIBVIRT_TROUBLE}).",
            "Install python3-libvirt there, or run the role kvm_host.",
            "libvirt_missing",
        )
    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        connection = libvirt.open(uri)
    except libvirt.libvirtError as error:
        raise PgFleetError(
            f"libvirt does not answer at {uri}: {error}.", "Start it, or run the role kvm_host.", "libvirt_unreachable"
        ) from error
    try:
        yield connection
    except libvirt.libvirtError as error:
        raise PgFleetError(f"libvirt refused: {error}.", "", "libvirt_refused") from error
    finally:
        connection.close()


def read_domains(connection: Any, places: Places) -> dict[str, Domain]:
    domains = (_domain(found, places) for found in connection.listAllDomains())
    return {domain.name: domain for domain in domains}


def _domain(found: Any, places: Places) -> Domain:
    running = bool(found.isActive())
    name = found.name()
    complete = running or all(os.path.exists(path) for path in (places.disk(name), places.seed(name)))
    return read_domain(found.XMLDesc(), running, bool(found.autostart()), complete)


def read_host(
    connection: Any, hardware: Hardware, image: Image, places: Places, cidr: str, foreign: Iterable[str]
) -> Host:
    """``foreign`` are names of machines without a domain: a file of theirs is somebody else's."""
    if not os.path.isdir(places.directory):
        raise InvalidInput(f"There is no directory {places.directory} for disks.", "Make it, or give another.")
    files = [path for name in foreign for path in (places.disk(name), places.seed(name)) if os.path.exists(path)]
    network, address = _network(connection, hardware, cidr)
    return Host(
        network=hardware.network,
        cidr=network,
        address=address,
        memory_free_mb=memory_free_mb(),
        disk_free_gb=_disk_free_gb(places.directory),
        image_gb=image_bytes(image) / UNIT_GB,
        files=frozenset(files),
    )


def _network(connection: Any, hardware: Hardware, cidr: str) -> tuple[str, str]:
    """Network and own address, as given or as libvirt's network says."""
    found = next((net for net in connection.listAllNetworks() if net.name() == hardware.network), None)
    if found is None or not found.isActive():
        raise MachineConflict(
            f"libvirt's network '{hardware.network}' {'is not active' if found else 'does not exist'}.",
            "Start it, or run the role kvm_host.",
            "network_missing",
        )
    if cidr:
        interface = ipaddress.IPv4Interface(cidr)
        own = "" if interface.ip == interface.network.network_address else str(interface.ip)
        return str(interface.network), own
    address = ET.fromstring(found.XMLDesc()).find("ip")
    if address is None:
        raise InvalidInput(
            f"libvirt's network '{hardware.network}' is a bridge of the hypervisor, and its addresses are not known.",
            "Give them with cidr.",
        )
    mask = address.get("netmask") or address.get("prefix")
    return str(ipaddress.IPv4Network(f"{address.get('address')}/{mask}", strict=False)), address.get("address", "")


def image_bytes(image: Image) -> int:
    """The size of the disk that the image shows to a guest."""
    for path in filter(None, (image.disk, image.kernel, image.initrd)):
        if not os.path.isfile(path):
            raise MachineConflict(
                f"There is no image file {path} on the hypervisor.",
                "Build it with the role kvm_image.",
                "image_missing",
            )
    with open(image.disk, "rb") as disk:
        head = disk.read(32)
    if head[:4] != _QCOW2:
        raise MachineConflict(f"{image.disk} is not a qcow2 image.", "Convert it with qemu-img.", "image_invalid")
    return int(struct.unpack(">Q", head[24:32])[0])


def memory_free_mb() -> int:
    with open("/proc/meminfo") as lines:
        fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) // 1024


def _disk_free_gb(directory: str) -> int:
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize // UNIT_GB
