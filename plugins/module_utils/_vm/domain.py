# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Machines as libvirt writes them: definitions of domains, and what an existing one says of itself. No I/O."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._errors import PgFleetError
from .._machine.values import short_hash
from .values import Domain, Machine, Shape

# The element that marks a domain as ours and keeps what libvirt has no place for.
XMLNS = "https://github.com/pgfleet/cluster/machine"
_TAG = f"{{{XMLNS}}}machine"
_KEPT = ("address", "disk_gb", "image", "access", "hardware")
ET.register_namespace("pgfleet", XMLNS)


@dataclass(frozen=True)
class Image:
    """A golden image. Without a kernel it has a boot loader."""

    disk: str
    hash: str
    kernel: str = ""
    initrd: str = ""
    cmdline: str = ""


@dataclass(frozen=True)
class Hardware:
    """What all machines of a fleet have in common."""

    domain_type: str
    cpu_mode: str
    cpu_disable: tuple[str, ...]
    network: str
    disk_cache: str


@dataclass(frozen=True)
class Places:
    """Where the files of machines are."""

    directory: str
    log_directory: str

    def disk(self, name: str) -> str:
        return os.path.join(self.directory, f"{name}.qcow2")

    def seed(self, name: str) -> str:
        return os.path.join(self.directory, f"{name}-seed.iso")

    def console(self, name: str) -> str:
        return os.path.join(self.log_directory, f"{name}-console.log")


def hardware_hash(image: Image, hardware: Hardware) -> str:
    return short_hash(image.kernel, image.initrd, image.cmdline, *(str(part) for part in asdict(hardware).values()))


def domain_xml(machine: Machine, fleet: str, image: Image, hardware: Hardware, places: Places) -> str:
    """The definition; the file systems of the guest need to know nothing of it but the labels."""
    domain = ET.Element("domain", type=hardware.domain_type)
    ET.SubElement(domain, "name").text = machine.name
    ET.SubElement(domain, "uuid").text = machine.uuid
    kept: dict[str, Any] = asdict(machine.shape)
    mark = {"fleet": fleet, **{name: str(kept[name]) for name in _KEPT}}
    ET.SubElement(ET.SubElement(domain, "metadata"), _TAG, mark)
    ET.SubElement(domain, "memory", unit="MiB").text = str(machine.shape.memory_mb)
    ET.SubElement(domain, "vcpu").text = str(machine.shape.vcpus)
    _add_boot(domain, image)
    features = ET.SubElement(domain, "features")
    for name in ("acpi", "apic"):
        ET.SubElement(features, name)
    cpu = ET.SubElement(domain, "cpu", mode=hardware.cpu_mode)
    for name in hardware.cpu_disable:
        ET.SubElement(cpu, "feature", policy="disable", name=name)
    ET.SubElement(domain, "clock", offset="utc")
    for event, action in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        ET.SubElement(domain, event).text = action
    _add_devices(ET.SubElement(domain, "devices"), machine, hardware, places)
    return ET.tostring(domain, encoding="unicode")


def _add_boot(domain: ET.Element, image: Image) -> None:
    boot = ET.SubElement(domain, "os")
    ET.SubElement(boot, "type").text = "hvm"
    if image.kernel:
        for name in ("kernel", "initrd", "cmdline"):
            if getattr(image, name):
                ET.SubElement(boot, name).text = getattr(image, name)
    else:
        ET.SubElement(boot, "boot", dev="hd")


def _add_devices(devices: ET.Element, machine: Machine, hardware: Hardware, places: Places) -> None:
    disk = ET.SubElement(devices, "disk", type="file", device="disk")
    ET.SubElement(disk, "driver", name="qemu", type="qcow2", cache=hardware.disk_cache, discard="unmap")
    ET.SubElement(disk, "source", file=places.disk(machine.name))
    ET.SubElement(disk, "target", dev="vda", bus="virtio")
    seed = ET.SubElement(devices, "disk", type="file", device="disk")
    ET.SubElement(seed, "driver", name="qemu", type="raw")
    ET.SubElement(seed, "source", file=places.seed(machine.name))
    ET.SubElement(seed, "target", dev="vdb", bus="virtio")
    ET.SubElement(seed, "readonly")
    interface = ET.SubElement(devices, "interface", type="network")
    ET.SubElement(interface, "mac", address=machine.mac)
    ET.SubElement(interface, "source", network=hardware.network)
    ET.SubElement(interface, "model", type="virtio")
    serial = ET.SubElement(devices, "serial", type="pty")
    ET.SubElement(serial, "log", file=places.console(machine.name), append="off")
    rng = ET.SubElement(devices, "rng", model="virtio")
    ET.SubElement(rng, "backend", model="random").text = "/dev/urandom"
    ET.SubElement(devices, "memballoon", model="none")
    ET.SubElement(devices, "panic", model="isa")


def read_domain(xml: str, running: bool, autostart: bool, complete: bool = True) -> Domain:
    """A domain out of its definition, that of the running one where it runs."""
    domain = ET.fromstring(xml)
    mark = domain.find(f"metadata/{_TAG}")
    return Domain(
        name=domain.findtext("name", ""),
        uuid=domain.findtext("uuid", ""),
        running=running,
        fleet=mark.get("fleet", "") if mark is not None else "",
        shape=_shape(domain, mark.attrib, autostart) if mark is not None else None,
        files=tuple(source.get("file", "") for source in domain.findall("devices/disk/source")),
        console=console_of(domain),
        complete=complete,
        fenced=mark is not None and mark.get("fenced") == "yes",
    )


def fenced_mark(xml: str) -> str:
    """The element that marks the domain as ours, with the word that it is fenced; libvirt adds the name space."""
    mark = ET.fromstring(xml).find(f"metadata/{_TAG}")
    if mark is None:
        raise PgFleetError("The domain was not made by this collection.", "", "foreign_domain")
    return ET.tostring(ET.Element("machine", {**mark.attrib, "fenced": "yes"}), encoding="unicode")


def console_of(domain: ET.Element) -> str:
    log = domain.find("devices/serial/log")
    return log.get("file", "") if log is not None else ""


def _shape(domain: ET.Element, mark: Mapping[str, Any], autostart: bool) -> Shape:
    try:
        return Shape(
            address=mark["address"],
            memory_mb=int(domain.findtext("memory", "")) // 1024,  # libvirt writes KiB
            vcpus=int(domain.findtext("vcpu", "")),
            disk_gb=int(mark["disk_gb"]),
            image=mark["image"],
            access=mark["access"],
            hardware=mark["hardware"],
            autostart=autostart,
        )
    except (KeyError, ValueError) as error:
        raise PgFleetError(
            f"The definition of domain '{domain.findtext('name')}' was edited: its pgfleet element says not what it must ({error}).",
            "Undefine the domain.",
            "machine_definition_broken",
        ) from error
