"""A cluster that site.yml has made, as a person with a shell on its machines sees it.

The inventory is the one given with ``--ansible-inventory``: a scenario's, or that of a cluster of your own.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from testinfra.host import Host

from ansible_collections.pgfleet.cluster.tests.e2e.agent import PROGRAM, Agent


@dataclass(frozen=True)
class Node:
    """One server and the machine that it runs on."""

    name: str
    is_primary: bool
    port: int
    cluster: str
    address: str
    machine: Host
    is_local: bool
    login: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def become(self, user: str) -> list[str]:
        """Words that make what follows run as a user, from any directory."""
        return ["runuser", "-u", user, "--"] if self.is_local and os.geteuid() == 0 else ["sudo", "-n", "-u", user]

    def agent(self, user: str) -> Agent:
        words = [*self.become(user), "/usr/bin/python3", "-u", "-c", PROGRAM]
        return Agent([*self.login, shlex.join(words)] if self.login else words)

    @cached_property
    def as_postgres(self) -> Agent:
        return self.agent("postgres")

    @cached_property
    def as_root(self) -> Agent:
        return self.agent("root")

    def shell(self, command: str) -> str:
        """Output of a command that must succeed, run as postgres."""
        return self.as_postgres.ask("sh", command)

    def root(self, command: str) -> str:
        """Output of a command that must succeed, run as root."""
        return self.as_root.ask("sh", command)

    def psql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement, unaligned and without header."""
        return self.as_postgres.ask("sql", self.port, database, statement)

    def refusal(self, statement: str, options: str = "", environment: str = "") -> str:
        """The words in which psql says no; the test fails when it does not."""
        done = self.machine.run(
            f"cd / && {shlex.join(self.become('postgres'))} env {environment} psql -Xw -v VERBOSITY=verbose -p {self.port} {options}"
            f" -c {shlex.quote(statement)}"
        )
        assert done.rc != 0, f"{self} did: {statement}: {done.stdout}"
        return str(done.stderr)

    @cached_property
    def settings(self) -> dict[str, str]:
        """All settings, asked for once: a round trip to an emulated machine takes a second."""
        shown: dict[str, str] = json.loads(
            self.psql("SELECT json_object_agg(name, current_setting(name, true)) FROM pg_settings")
        )
        return shown

    def setting(self, name: str) -> str:
        return self.settings[name]

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
    init_plugin_loader()  # variables have lookups in them
    loader = DataLoader()
    hosts = InventoryManager(loader=loader, sources=[inventory])
    manager = VariableManager(loader=loader, inventory=hosts)

    def node(name: str, is_primary: bool) -> Node:
        variables = manager.get_vars(host=hosts.get_host(name))
        templar = Templar(loader=loader, variables=variables)

        def option(key: str, default: Any = "") -> Any:
            return templar.template(variables[key]) if key in variables else default

        is_local = option("ansible_connection") == "local"
        login = () if is_local else login_words(option)
        return Node(
            name=name,
            is_primary=is_primary,
            port=int(option("pg_server_port", 5432)),
            cluster=option("pg_server_cluster", "main"),
            address=option("pg_server_address", option("ansible_host")),
            machine=Host.get_host("local://") if is_local else by_ssh(option),
            is_local=is_local,
            login=login,
        )

    groups: Mapping[str, Any] = hosts.get_groups_dict()
    return tuple(node(name, group == "pg_primary") for group in ("pg_primary", "pg_standby") for name in groups[group])


def login_words(option: Callable[..., Any]) -> tuple[str, ...]:
    """ssh with the key and the known hosts that the plays use."""
    key = option("ansible_ssh_private_key_file")
    address = f"{option('ansible_user')}@{option('ansible_host')}"
    return ("ssh", "-i", key, *shlex.split(option("ansible_ssh_common_args")), address)


def by_ssh(option: Callable[..., Any]) -> Host:
    """One connection, kept; in a network namespace, beside those of its plays."""
    sockets = Path(os.environ.get("ANSIBLE_SSH_CONTROL_PATH_DIR", "~/.ansible/cp")).expanduser()
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Host.get_host(
        f"ssh://{option('ansible_user')}@{option('ansible_host')}",
        ssh_identity_file=option("ansible_ssh_private_key_file"),
        ssh_extra_args=option("ansible_ssh_common_args"),
        controlpath=f"{sockets}/e2e-%%C",  # formatted by testinfra, then by ssh
        controlpersist=60,
        timeout=60,
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Clusters of one machine have no machines to look at. (Molecule names each file, so none can be ignored.)"""
    inventory = config.getoption("--ansible-inventory")
    if inventory and nodes_of(inventory)[0].is_local:
        about_machines = [item for item in items if item.path.name == "test_machines.py"]
        config.hook.pytest_deselected(items=about_machines)
        items[:] = [item for item in items if item not in about_machines]


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
