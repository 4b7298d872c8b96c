"""Whole clusters: by site.yml, by the bare script, out of a fresh clone."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .tools import BUILD, ROOT, as_root, play, run, seconds_by_task, timed

FIRST_PORT = 5461
BARE = ROOT / "tests/bench/bare.sh"


def write_inventory(name: str, standbys: int, first_port: int) -> Path:
    """An inventory like inventory/local, with names and ports of its own."""
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "group_vars").symlink_to(ROOT / "inventory/local/group_vars")
    nodes = [
        {"pg_server_port": first_port + number, "pg_server_fleet": f"pgfleet{name}"} for number in range(standbys + 1)
    ]
    groups = {
        "pg_primary": {"hosts": {"primary": nodes[0]}},
        "pg_standby": {"hosts": {f"node{number}": node for number, node in enumerate(nodes[1:], 1)}},
    }
    (folder / "hosts.yml").write_text(json.dumps({"postgres": {"children": groups}}))
    return folder


@dataclass
class Fleet:
    """A cluster by site.yml."""

    name: str
    standbys: int
    data: Path
    first_port: int = FIRST_PORT
    inventory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.inventory = write_inventory(self.name, self.standbys, self.first_port)

    def play(self, playbook: str, *more: str) -> tuple[float, str]:
        return play("-i", self.inventory, ROOT / playbook, *more)

    def build(self) -> tuple[float, dict[str, float]]:
        """Seconds of a run of site.yml, and of its tasks."""
        seconds, output = self.play(
            "site.yml", "-e", "pagila_load_source=data", "-e", json.dumps({"pagila_load_data_file": str(self.data)})
        )
        return seconds, seconds_by_task(output)

    def destroy(self) -> None:
        self.play("playbooks/destroy.yml", "-e", "confirm=yes")


AnyFleet = TypeVar("AnyFleet", bound=Fleet)


@contextmanager
def gone_afterwards(fleet: AnyFleet) -> Iterator[AnyFleet]:
    """Nothing of the fleet is there before, and nothing afterwards, whatever happens."""
    fleet.destroy()
    try:
        yield fleet
    finally:
        fleet.destroy()


def write_fleets(number: int, first_port: int) -> Path:
    """One inventory of so many fleets, each a primary and a standby, without the sample database."""
    folder = write_inventory(f"fleets{number}", 0, first_port)
    groups: dict[str, dict[str, Any]] = {"pg_primary": {"hosts": {}}, "pg_standby": {"hosts": {}}}
    for at in range(number):
        for place, group in enumerate(groups):
            groups[group]["hosts"][f"site{at}{'ps'[place]}"] = {
                "pg_server_port": first_port + 2 * at + place,
                "pg_server_fleet": f"pgfleetbench_{number}_{at}",
                "pagila_load_enabled": False,
            }
    (folder / "hosts.yml").write_text(json.dumps({"postgres": {"children": groups}}))
    return folder


def fleets(number: int) -> tuple[float, float]:
    """Seconds of the run of site.yml that makes so many fleets of two nodes, and of a second one."""
    inventory = write_fleets(number, FIRST_PORT)
    gone = ("-i", inventory, ROOT / "playbooks/destroy.yml", "-e", "confirm=yes", "-e", "fleet=all")
    play(*gone)
    try:
        first, second = (play("-i", inventory, ROOT / "site.yml")[0] for _turn in range(2))
        return first, second
    finally:
        play(*gone)


def bare(data: Path) -> float:
    """Seconds of the bare script."""
    run(*as_root(BARE, "down"))
    try:
        return timed(*as_root(BARE, "up", data))[0]
    finally:
        run(*as_root(BARE, "down"))


def site(standbys: int, data: Path) -> tuple[float, float, dict[str, float]]:
    """Seconds of a first run, of a second one, and of the tasks of the first."""
    with gone_afterwards(Fleet(f"bench{standbys}", standbys, data)) as fleet:
        first, tasks = fleet.build()
        second, _tasks = fleet.build()
        return first, second, tasks


def from_fresh_clone(data: Path) -> float:
    """Seconds of make cluster in a clone that has no virtual environment yet."""
    folder = Path(tempfile.mkdtemp(prefix="pgfleet-clone-"))
    with gone_afterwards(Fleet("benchfresh", 3, data)) as fleet:
        try:
            run("git", "-c", "safe.directory=*", "clone", "--quiet", ROOT, folder / "clone")
            words = {"ANSIBLE_ARGS": f"-i '{fleet.inventory}'", "PATH": os.environ["PATH"]}
            return timed("make", "cluster", cwd=folder / "clone", **words)[0]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
