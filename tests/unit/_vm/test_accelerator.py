"""How machines run on a host, one host a row."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.accelerator import (
    AcceleratorMissing,
    Host,
    choose_accelerator,
    parse_cpu_flags,
    parse_meminfo,
    parse_qemu_version,
)

NEW, OLD = (10, 0), (7, 2)


def host(device="writable", flags=("fpu", "svm"), qemu: tuple[int, int] | None = NEW) -> Host:
    return Host(device, frozenset(flags), qemu)


ROWS = {
    "KVM that works": ("auto", host(), "kvm", (), "the CPU virtualizes"),
    "Intel's": ("auto", host(flags=("vmx",)), "kvm", (), ""),
    "KVM on old QEMU needs no other CPU": ("auto", host(qemu=OLD), "kvm", (), ""),
    "no device": ("auto", host("absent"), "tcg", (), "there is no /dev/kvm"),
    "a device that does not open": ("auto", host("unusable"), "tcg", (), "cannot be opened"),
    "a device without the CPU's flag": ("auto", host(flags=("fpu",)), "tcg", (), "neither vmx nor svm"),
    "emulation by wish": ("tcg", host(), "tcg", (), "asked for"),
    "old QEMU emulates wrongly": ("tcg", host(qemu=OLD), "tcg", ("cx16", "la57"), ""),
    "the first sound QEMU": ("tcg", host(qemu=(8, 0)), "tcg", (), ""),
    "unknown QEMU is taken for an old one": ("tcg", host(qemu=None), "tcg", ("cx16", "la57"), ""),
}


@pytest.mark.parametrize(("wanted", "on", "name", "disabled", "reason"), ROWS.values(), ids=ROWS)
def test_choice(wanted, on, name, disabled, reason):
    chosen = choose_accelerator(wanted, on)
    assert (chosen.name, chosen.cpu_disabled_features) == (name, disabled)
    assert chosen.domain_type == {"kvm": "kvm", "tcg": "qemu"}[name]
    assert reason in chosen.reason


@pytest.mark.parametrize("on", [host("absent"), host("unusable"), host(flags=())], ids=["absent", "unusable", "flags"])
def test_kvm_is_not_replaced_silently(on):
    with pytest.raises(AcceleratorMissing, match=r"KVM was asked for, but .*kvm_host_accelerator"):
        choose_accelerator("kvm", on)


def test_cpu_element():
    assert choose_accelerator("auto", host()).cpu_xml() == "<cpu mode='host-passthrough'/>"
    assert choose_accelerator("tcg", host(qemu=OLD)).cpu_xml() == (
        "<cpu mode='maximum'><feature policy='disable' name='cx16'/><feature policy='disable' name='la57'/></cpu>"
    )


def test_parsers():
    cpuinfo = "processor\t: 0\nflags\t\t: fpu vme svm\n\nprocessor\t: 1\nflags\t\t: fpu vmx\n"
    assert parse_cpu_flags(cpuinfo) == {"fpu", "vme", "svm"}
    assert parse_cpu_flags("") == frozenset()
    assert parse_qemu_version(["QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"]) == (7, 2)
    assert parse_qemu_version([]) is None
    assert parse_meminfo("MemTotal:       16 kB\nMemFree: 1 kB\nMemAvailable:  8 kB\n") == {
        "total_bytes": 16384,
        "available_bytes": 8192,
    }
