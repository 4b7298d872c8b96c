"""Measure image, boot and plays on virtual machines: a table for people, build/bench-vms.json for programs.

Run by ``make bench-vms``; with PGFLEET_NETNS=1 in a network namespace of its own. What is made is removed again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .tools import BUILD, ROOT, VENV, BenchError, run, seconds_by_task, timed

PARTS = ("image", "boot", "site", "plain", "test")
AIMS = {
    "accelerator": "",
    "image_s": "at most 120",
    "image_cached_s": "at most 2",
    "boot_one_s": "at most 45",
    "boot_all_s": "at most 2 times boot_one_s",
    "site_s": "at most 180",
    "noop_s": "at most 60",
    "site_plain_s": "at most 600",
    "test_vms_s": "under 1800",
}
NAMESPACE = "pgfleet-bench"
IN_NAMESPACE = os.environ.get("PGFLEET_NETNS") == "1"
INVENTORY = BUILD / "vms"
IMAGES = "/var/lib/pgfleet/bench-images"
NODES = {"primary": 100, "node1": 101, "node2": 102, "node3": 103}
_ACCELERATOR = re.compile(r"Machines run with (\w+)")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def write_inventory() -> None:
    """An inventory like inventory/lab, in a fleet of its own."""
    shutil.rmtree(INVENTORY, ignore_errors=True)
    INVENTORY.mkdir(parents=True)
    (INVENTORY / "group_vars").symlink_to(ROOT / "inventory/lab/group_vars")
    hosts = {name: {"ansible_host": f"192.168.122.{last}"} for name, last in NODES.items()}
    groups = {
        "pg_primary": {"hosts": {"primary": hosts.pop("primary")}},
        "pg_standby": {"hosts": hosts},
    }
    children = {"hypervisors": {"hosts": {"localhost": {}}}, "postgres": {"children": groups}}
    variables = {"kvm_vm_fleet": "bench", "pagila_load_source": "generated"}
    (INVENTORY / "hosts.yml").write_text(json.dumps({"all": {"vars": variables, "children": children}}))


def mitogen() -> dict[str, str]:
    package = importlib.util.find_spec("ansible_mitogen")
    if not (package and package.origin):
        raise BenchError("Mitogen is not installed; make setup installs it.")
    strategies = Path(package.origin).with_name("plugins") / "strategy"
    return {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(strategies)}


def play(
    playbook: str, *more: str, inside: bool = True, environment: dict[str, str] | None = None
) -> tuple[float, str]:
    """Seconds and output of a playbook, in the namespace unless it needs the world."""
    known = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks",
        "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "all",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
    }
    prefix: list[str | Path] = [ROOT / "tools/netns.sh", "in", NAMESPACE] if IN_NAMESPACE and inside else []
    words: list[str | Path] = [VENV / "ansible-playbook", "-i", INVENTORY, ROOT / playbook, "-e", "confirm=yes", *more]
    return timed(
        "env", *(f"{name}={value}" for name, value in {**known, **(environment or {})}.items()), *prefix, *words
    )


def seconds_of(output: str, words: str) -> float:
    return round(sum(seconds for name, seconds in seconds_by_task(output).items() if words in name), 1)


def measure_image() -> dict[str, Any]:
    say("the golden image, made and found")
    run("rm", "-rf", IMAGES)
    try:
        words = ("playbooks/image.yml", "-e", f"kvm_image_directory={IMAGES}")
        first, second = (play(*words, inside=False)[1] for _turn in range(2))
    finally:
        run("rm", "-rf", IMAGES)
    return {
        "image_s": seconds_of(first, "pgfleet.cluster.kvm_image :"),
        "image_cached_s": seconds_of(second, "pgfleet.cluster.kvm_image :"),
    }


def measure_boot() -> dict[str, Any]:
    """From the image to ready: the one task that makes, starts and waits."""
    result: dict[str, Any] = {}
    for name, nodes in (("boot_one_s", ["primary"]), ("boot_all_s", list(NODES))):
        say(f"{len(nodes)} of {len(NODES)} machines")
        destroy()
        output = play("playbooks/provision.yml", "-e", json.dumps({"kvm_vm_nodes": nodes}))[1]
        result[name] = seconds_of(output, "Make and start the machines")
        found = _ACCELERATOR.search(output)
        result["accelerator"] = found[1].lower() if found else "unknown"
    return result


def measure_site() -> dict[str, Any]:
    say("site.yml with Mitogen, and again")
    play("playbooks/provision.yml")
    first, output = play("site.yml", environment=mitogen())
    second, again = play("site.yml", environment=mitogen())
    if "changed=0" not in again:
        raise BenchError("The second run changed something.")
    return {"site_s": round(first, 1), "noop_s": round(second, 1), "tasks": seconds_by_task(output)}


def measure_plain() -> dict[str, Any]:
    say("site.yml without Mitogen, on new machines")
    play("playbooks/provision.yml", "-e", "kvm_vm_state=rebuilt")
    return {"site_plain_s": round(play("site.yml")[0], 1)}


def measure_test() -> dict[str, Any]:
    say("make test-vms")
    destroy()
    started = time.monotonic()
    code = subprocess.run(["make", "test-vms"], cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode
    if code:
        raise BenchError("make test-vms failed; its output is in build/logs/vms.log.")
    return {"test_vms_s": round(time.monotonic() - started, 1)}


MEASURES = {"image": measure_image, "boot": measure_boot, "site": measure_site, "plain": measure_plain, "test": measure_test}  # fmt: skip


def destroy() -> None:
    play("playbooks/teardown.yml")


@contextmanager
def gone_afterwards() -> Iterator[None]:
    write_inventory()
    play("playbooks/image.yml", inside=False)
    destroy()
    try:
        yield
    finally:
        destroy()
        if IN_NAMESPACE:
            run(ROOT / "tools/netns.sh", "remove", NAMESPACE)


def report(result: dict[str, Any]) -> None:
    print("measure              value  aim")
    for name, aim in AIMS.items():
        if name in result:
            print(f"{name:<16} {result[name]!s:>9}  {aim}")
    if tasks := result.get("tasks"):
        print(f"\nwhere a first run with Mitogen goes ({sum(tasks.values()):.1f} s in {len(tasks)} tasks)")
        for name, seconds in sorted(tasks.items(), key=lambda item: -item[1])[:15]:
            print(f"{seconds:>7.2f}  {name}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-vms", description="see BENCH_ARGS in TESTING.md")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure less")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result: dict[str, Any] = {}
    try:
        with gone_afterwards():
            for part in options.only:
                result.update(MEASURES[part]())
    except BenchError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; what was made is removed")
        return 130
    report(result)
    BUILD.parent.mkdir(exist_ok=True)
    (BUILD.parent / "bench-vms.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
