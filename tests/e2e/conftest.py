"""A cluster that site.yml has made, as a person with a shell on its machine sees it.

The inventory is the one given with ``--ansible-inventory``: a scenario's, or that of a cluster of your own.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

AS_POSTGRES = "runuser -u postgres --" if os.geteuid() == 0 else "sudo -n -u postgres"


@dataclass(frozen=True)
class Node:
    """One server and the machine that it runs on."""

    name: str
    is_primary: bool
    port: int
    cluster: str
    machine: Host

    def __str__(self) -> str:
        return self.name

    def shell(self, command: str) -> str:
        """Output of a command that must succeed, run as postgres."""
        done = self.machine.run(f"cd / && {AS_POSTGRES} sh -c {shlex.quote(command)}")
        assert done.rc == 0, f"{self}: {command}: {done.stderr}"
        return str(done.stdout).strip()

    def psql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement, unaligned and without header."""
        return self.shell(f"psql -XAtq -v ON_ERROR_STOP=1 -p {self.port} -d {database} -c {shlex.quote(statement)}")

    def refusal(self, statement: str, options: str = "", environment: str = "") -> str:
        """The words in which psql says no; the test fails when it does not."""
        done = self.machine.run(
            f"cd / && {AS_POSTGRES} env {environment} psql -Xw -v VERBOSITY=verbose -p {self.port} {options}"
            f" -c {shlex.quote(statement)}"
        )
        assert done.rc != 0, f"{self} did: {statement}: {done.stdout}"
        return str(done.stderr)

    def setting(self, name: str) -> str:
        return self.psql(f"SHOW {name}")

    @property
    def config(self) -> Path:
        return Path(self.setting("config_file")).parent


def eventually(check: Callable[[], bool], seconds: float = 10) -> float:
    """Seconds until the check is true."""
    start = time.monotonic()
    while not check():
        assert time.monotonic() - start < seconds, "not within the time"
        time.sleep(0.05)
    return time.monotonic() - start


@cache
def nodes_of(inventory: str) -> tuple[Node, ...]:
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", inventory, "--list"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def node(name: str) -> Node:
        variables: dict[str, Any] = listed["_meta"]["hostvars"][name]
        return Node(
            name=name,
            is_primary=name in listed["pg_primary"]["hosts"],
            port=variables["pg_server_port"],
            cluster=f"{variables['pg_server_fleet']}_{name}",
            machine=Host.get_host("local://"),
        )

    return tuple(node(name) for group in ("pg_primary", "pg_standby") for name in listed[group]["hosts"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``node`` or ``standby`` runs once for each."""
    inventory = metafunc.config.getoption("--ansible-inventory")
    if not inventory:
        raise pytest.UsageError("Give the cluster's inventory with --ansible-inventory.")
    nodes = nodes_of(inventory)
    if "node" in metafunc.fixturenames:
        metafunc.parametrize("node", nodes, ids=str)
    if "standby" in metafunc.fixturenames:
        metafunc.parametrize("standby", [node for node in nodes if not node.is_primary], ids=str)


@pytest.fixture(scope="session")
def nodes(request: pytest.FixtureRequest) -> tuple[Node, ...]:
    return nodes_of(request.config.getoption("--ansible-inventory"))


@pytest.fixture(scope="session")
def primary(nodes: tuple[Node, ...]) -> Node:
    return next(node for node in nodes if node.is_primary)


@pytest.fixture(scope="session")
def standbys(nodes: tuple[Node, ...]) -> list[Node]:
    return [node for node in nodes if not node.is_primary]


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., float]:
    return eventually
