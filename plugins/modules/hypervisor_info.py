#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: hypervisor_info
short_description: What a machine has and lacks for running virtual machines, and how it would run them
version_added: 1.0.0
description:
  - Answers in one call what a role must know before it changes anything on a hypervisor that may still be empty.
  - Decides between KVM and emulation. KVM counts only where C(/dev/kvm) can be opened for writing and the CPU has C(vmx) or C(svm).
    The device alone may be there, and even open, where no guest boots on it.
  - Needs neither libvirt nor QEMU on the machine.
options:
  accelerator:
    description:
      - V(auto) takes KVM where it works and emulates where it does not. V(kvm) fails where it does not work. V(tcg) always emulates.
    type: str
    default: auto
    choices: [auto, kvm, tcg]
  packages:
    description: Packages that are needed.
    type: list
    elements: str
    default: []
  path:
    description: Directory in which the machines' disks are to lie.
    type: path
    default: /var/lib
extends_documentation_fragment:
  - pgfleet.cluster.attributes.read_only
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Look at the hypervisor
  pgfleet.cluster.hypervisor_info:
    packages: [qemu-system-x86, libvirt-daemon-system]
  become: true
  register: host

- name: Say how machines will run
  ansible.builtin.debug:
    msg: "{{ host.accelerator.name }}: {{ host.accelerator.reason }}"
"""

RETURN = r"""
accelerator:
  description: How machines run here, why, and which CPU they may be shown. C(cpu_xml) is the element of a domain's definition.
  returned: success
  type: dict
  sample:
    name: tcg
    domain_type: qemu
    cpu_mode: maximum
    cpu_disabled_features: [cx16, la57]
    cpu_xml: <cpu mode='maximum'><feature policy='disable' name='cx16'/><feature policy='disable' name='la57'/></cpu>
    reason: /dev/kvm is there but the CPU has neither vmx nor svm
kvm_device:
  description: V(absent), V(unusable) or V(writable).
  returned: success
  type: str
  sample: writable
qemu_version:
  description: Version of QEMU; empty where there is none.
  returned: success
  type: str
  sample: "7.2"
missing_packages:
  description: Packages that are needed and not installed.
  returned: success
  type: list
  elements: str
  sample: []
service_manager:
  description: V(systemd) where systemd runs the machine, otherwise V(none).
  returned: success
  type: str
  sample: none
libvirt:
  description: Whether libvirt answers, which process that is, and whether it is in this network namespace.
  returned: success
  type: dict
  sample: {running: true, pid: 4711, here: true}
memory:
  description: Memory of the machine.
  returned: success
  type: dict
  sample: {total_bytes: 25178648576, available_bytes: 23622320128}
processors:
  description: Processors that this machine has.
  returned: success
  type: int
  sample: 2
filesystem:
  description: The file system of O(path).
  returned: success
  type: dict
  sample: {path: /var/lib, total_bytes: 270553174016, free_bytes: 85899345920}
"""

import os
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._host.machine import (
    filesystem_of,
    missing_packages,
    output_of,
    read_text,
    service_manager,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.accelerator import (
    Host,
    choose_accelerator,
    parse_cpu_flags,
    parse_meminfo,
    parse_qemu_version,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.libvirtd import DAEMONS, is_here, listener

KVM_DEVICE = "/dev/kvm"


def kvm_device() -> str:
    """Opened for real: the mode of a device says nothing inside a container."""
    if not os.path.exists(KVM_DEVICE):
        return "absent"
    try:
        os.close(os.open(KVM_DEVICE, os.O_RDWR))
    except OSError:
        return "unusable"
    return "writable"


def libvirt() -> dict[str, Any]:
    pid = listener(DAEMONS[-1].socket_path)
    return {"running": pid is not None, "pid": pid, "here": pid is not None and is_here(pid)}


def run(params: dict[str, Any]) -> dict[str, Any]:
    version = parse_qemu_version(output_of(f"qemu-system-{os.uname().machine}", "--version"))
    host = Host(kvm_device(), parse_cpu_flags(read_text("/proc/cpuinfo")), version)
    return {
        "accelerator": choose_accelerator(params["accelerator"], host).as_result(),
        "kvm_device": host.kvm_device,
        "qemu_version": ".".join(map(str, version or ())),
        "missing_packages": missing_packages(params["packages"]),
        "service_manager": service_manager(),
        "libvirt": libvirt(),
        "memory": parse_meminfo(read_text("/proc/meminfo")),
        "processors": os.cpu_count() or 1,
        "filesystem": filesystem_of(params["path"]),
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "accelerator": {"type": "str", "default": "auto", "choices": ["auto", "kvm", "tcg"]},
            "packages": {"type": "list", "elements": "str", "default": []},
            "path": {"type": "path", "default": "/var/lib"},
        },
        supports_check_mode=True,
    )
    conclude(module, lambda module: {"changed": False, **run(module.params)})


if __name__ == "__main__":
    main()
