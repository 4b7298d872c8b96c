# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""With what QEMU can run machines on a host, and which CPU it may show them. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .._errors import PgFleetError

_VIRTUALIZATION_FLAGS = {"vmx", "svm"}
# QEMU before 8.0 emulates CMPXCHG16B wrongly: guests die of a double fault in their allocator.
_FIRST_SOUND_EMULATION = (8, 0)
_UNSOUND_FEATURES = ("cx16", "la57")


class AcceleratorMissing(PgFleetError):
    """KVM was asked for where it cannot work."""

    code = "kvm_unavailable"


@dataclass(frozen=True)
class Host:
    """What decides. ``kvm_device`` is one of ``absent``, ``unusable`` (it cannot be opened) and ``writable``."""

    kvm_device: str
    cpu_flags: frozenset[str]
    qemu_version: tuple[int, int] | None


@dataclass(frozen=True)
class Accelerator:
    name: str
    domain_type: str
    cpu_mode: str
    cpu_disabled_features: tuple[str, ...]
    reason: str

    def as_result(self) -> dict[str, Any]:
        return {**asdict(self), "cpu_disabled_features": list(self.cpu_disabled_features), "cpu_xml": self.cpu_xml()}

    def cpu_xml(self) -> str:
        """The element of a domain's definition."""
        features = "".join(f"<feature policy='disable' name='{name}'/>" for name in self.cpu_disabled_features)
        return f"<cpu mode='{self.cpu_mode}'>{features}</cpu>" if features else f"<cpu mode='{self.cpu_mode}'/>"


def choose_accelerator(wanted: str, host: Host) -> Accelerator:
    """KVM where it really works; ``auto`` falls back to emulation, ``kvm`` does not."""
    obstacle = kvm_obstacle(host)
    if wanted == "kvm" and obstacle:
        raise AcceleratorMissing(
            f"KVM was asked for, but {obstacle}.",
            "Turn virtualization on in the firmware (or nested virtualization in the hypervisor around this one),"
            " or set kvm_host_accelerator to 'auto' or 'tcg'.",
        )
    if wanted == "tcg" or obstacle:
        return _emulation(host, obstacle or "it was asked for")
    return Accelerator("kvm", "kvm", "host-passthrough", (), "/dev/kvm can be written to and the CPU virtualizes")


def kvm_obstacle(host: Host) -> str:
    """Why KVM cannot be used; empty where it can. A device alone proves nothing: it may open and still boot no guest."""
    if host.kvm_device == "absent":
        return "there is no /dev/kvm"
    if host.kvm_device != "writable":
        return "/dev/kvm cannot be opened for writing"
    if not _VIRTUALIZATION_FLAGS & host.cpu_flags:
        return "/dev/kvm is there but the CPU has neither vmx nor svm"
    return ""


def _emulation(host: Host, reason: str) -> Accelerator:
    sound = host.qemu_version is not None and host.qemu_version >= _FIRST_SOUND_EMULATION
    return Accelerator("tcg", "qemu", "maximum", () if sound else _UNSOUND_FEATURES, reason)


def parse_cpu_flags(cpuinfo: str) -> frozenset[str]:
    """The flags of the first processor in /proc/cpuinfo."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def parse_qemu_version(lines: Iterable[str]) -> tuple[int, int] | None:
    """Out of ``qemu-system-x86_64 --version``; None where there is no QEMU."""
    found = re.search(r"version (\d+)\.(\d+)", " ".join(lines))
    return (int(found[1]), int(found[2])) if found else None


def parse_meminfo(meminfo: str) -> dict[str, int]:
    """Total and available memory in bytes, out of /proc/meminfo."""
    kib = {
        name: int(value.split()[0])
        for name, _colon, value in (line.partition(":") for line in meminfo.splitlines())
        if value
    }
    return {"total_bytes": kib.get("MemTotal", 0) * 1024, "available_bytes": kib.get("MemAvailable", 0) * 1024}
