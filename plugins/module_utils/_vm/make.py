# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Machines made, changed, started and removed as a plan says, all of a hypervisor together."""

from __future__ import annotations

import glob
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .._errors import PgFleetError
from .._machine.plan import CREATED, FENCED, NONE, REBUILT, REMOVED, RESTARTED
from .domain import XMLNS, Hardware, Image, Places, domain_xml, fenced_mark
from .plan import STARTS, Plan, Step
from .values import Domain, Machine

try:
    import libvirt
except ImportError:
    libvirt = None  # said by _vm_host, which comes first

INCOMING = ".incoming"


@dataclass(frozen=True)
class Workshop:
    """What machines are made with; ``seeds`` are the files of each machine's seed."""

    connection: Any
    fleet: str
    image: Image
    hardware: Hardware
    places: Places
    seeds: Mapping[str, Mapping[str, str]]
    stop_timeout: float = 120

    def apply(self, plan: Plan) -> None:
        """In an order that a killed run can be continued from: a domain comes before its files, its disk last."""
        self._shut_down([step.name for step in plan.of(RESTARTED)])
        for step in plan.of(FENCED):
            self._mark_as_fenced(step.name)
        for step in plan.of(REBUILT, REMOVED, FENCED):
            self._power_off(step.name)
        for step in plan.of(CREATED, REBUILT, REMOVED):
            if step.found:
                self._clear(step.found, undefine=step.action == REMOVED)
        for step in plan.of(RESTARTED):
            self._resize(step)
        changed = [step.machine for step in plan.steps if step.machine and step.action != NONE]
        for machine in changed:
            self._define(machine)
        making = {step.name for step in plan.of(CREATED, REBUILT)}
        _together(self._make, [machine for machine in changed if machine.name in making])
        _together(self._start, plan.of(*STARTS))

    def _domain(self, name: str) -> Any:
        return self.connection.lookupByName(name)

    def _define(self, machine: Machine) -> None:
        os.makedirs(self.places.log_directory, mode=0o755, exist_ok=True)
        xml = domain_xml(machine, self.fleet, self.image, self.hardware, self.places)
        self.connection.defineXML(xml).setAutostart(machine.shape.autostart)

    # --- Files --------------------------------------------------------------------------------------------------------

    def _make(self, machine: Machine) -> None:
        write_seed(self.places.seed(machine.name), self.seeds[machine.name])
        disk = self.places.disk(machine.name)
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", self.image.disk, disk + INCOMING,
            f"{machine.shape.disk_gb}G")  # fmt: skip
        os.replace(disk + INCOMING, disk)

    def _resize(self, step: Step) -> None:
        if step.machine and "disk_gb" in step.changes:
            run("qemu-img", "resize", "-q", self.places.disk(step.name), f"{step.machine.shape.disk_gb}G")

    def _clear(self, domain: Domain, undefine: bool) -> None:
        if undefine:
            self._domain(domain.name).undefineFlags(
                libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
            )
        remove_files(domain, self.places)

    # --- Power --------------------------------------------------------------------------------------------------------

    def _start(self, step: Step) -> None:
        for old in glob.glob(glob.escape(self.places.console(step.name)) + ".*"):
            os.unlink(old)  # the log's rotated parts tell of earlier boots
        domain = self._domain(step.name)
        if not domain.isActive():
            domain.create()

    def _mark_as_fenced(self, name: str) -> None:
        """In the definition, which is written again, with its autostart, when the machine is started again."""
        domain = self._domain(name)
        mark = fenced_mark(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        domain.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT, mark, "pgfleet", XMLNS, libvirt.VIR_DOMAIN_AFFECT_CONFIG
        )
        domain.setAutostart(False)

    def _power_off(self, name: str) -> None:
        domain = self._domain(name)
        if domain.isActive():
            domain.destroy()

    def _shut_down(self, names: Sequence[str]) -> None:
        """Ask all guests at once; pull the plug of those that do not listen."""
        running = [domain for domain in map(self._domain, names) if domain.isActive()]
        for domain in running:
            domain.shutdown()
        end = time.monotonic() + self.stop_timeout
        while time.monotonic() < end and any(domain.isActive() for domain in running):
            time.sleep(0.2)
        for name in names:
            self._power_off(name)


def _together(act: Callable[[Any], None], items: Sequence[Any]) -> None:
    with ThreadPoolExecutor(max(len(items), 1)) as pool:
        list(pool.map(act, items))


def remove_files(domain: Domain, places: Places) -> None:
    """The files that were made with a machine, wherever they are; a disk that was added by hand stays."""
    made = {os.path.basename(path) for path in (places.disk(domain.name), places.seed(domain.name))}
    files = [path for path in domain.files if os.path.basename(path) in made]
    logs = glob.glob(glob.escape(domain.console) + "*") if domain.console else []
    for path in [*files, *(path + INCOMING for path in files), *logs]:
        with suppress(FileNotFoundError):
            os.unlink(path)


def write_seed(path: str, files: Mapping[str, str]) -> None:
    """A NoCloud volume, readable by root alone until libvirt gives it to the machine: it holds a private key."""
    with tempfile.TemporaryDirectory(prefix="pgfleet-seed-") as folder:
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        os.close(os.open(path + INCOMING, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        run("genisoimage", "-quiet", "-input-charset", "utf-8", "-volid", "cidata", "-joliet", "-rock",
            "-output", path + INCOMING, folder)  # fmt: skip
    os.replace(path + INCOMING, path)


def run(*command: str) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError as error:
        raise PgFleetError(
            f"The program {command[0]} is missing on the hypervisor.", "Run the role kvm_host.", "program_missing"
        ) from error
    if done.returncode:
        raise PgFleetError(f"{' '.join(command)} failed: {' '.join(done.stdout.split())}", "", "command_failed")
