"""The playbooks, run as a user runs them, on clusters of their own on loopback."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import yaml

ROOT = Path(__file__).resolve().parents[2]
NODES = ("primary", "node1", "node2", "node3")
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)

#: Words of Ansible, Jinja and Python that tell a person nothing; every failing run is searched for them.
_RAW_ERROR = re.compile(
    r"Finalization of task args|Error while resolving value|Error rendering template|is undefined|has no attribute"
    r"|Conditional (?:result|expression)|Error while evaluating conditional|(?:filter|lookup|test) plugin '\S+' failed"
    r"|Traceback \(most recent call last\)|MODULE FAILURE|this is probably a bug"
)


def raw_errors(output: str) -> list[str]:
    """Lines of a run's output that no person should have to read."""
    return [line.strip() for line in output.splitlines() if _RAW_ERROR.search(line)]


@dataclass(frozen=True)
class Run:
    """What a playbook run ended with."""

    returncode: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        keys = ("ok", "changed", "unreachable", "failed")
        return {host: dict(zip(keys, map(int, rest))) for host, *rest in _RECAP.findall(self.output)}

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.recap.values())


def as_postgres() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else ["sudo", "-n", "-u", "postgres"]


@contextmanager
def own_place() -> Iterator[tuple[str, dict[str, int]]]:
    """A fleet's name and its nodes' ports that no other run of the tests on this machine has now."""
    for number in itertools.count():
        file = open(f"/tmp/pgfleettest{number}.lock", "w", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            file.close()
    try:
        yield f"pgfleettest{number}", {node: 5600 + 10 * number + at for at, node in enumerate(NODES)}
    finally:
        file.close()


class Fleet:
    """Four local nodes with ports, names and secrets of their own."""

    def __init__(self, folder: Path, name: str, ports: dict[str, int]) -> None:
        self.folder = folder
        self.name = name
        self.ports = ports
        self.inventory = folder / "inventory"
        (self.inventory / "group_vars").mkdir(parents=True)
        shutil.copy(ROOT / "inventory/local/group_vars/postgres.yml", self.inventory / "group_vars")
        self.all_hosts()

    def all_hosts(self) -> None:
        """The inventory of the first deployment."""
        self.hosts({"primary": {}}, {"node1": {}, "node2": {}, "node3": {}})

    def hosts(self, primaries: dict[str, Any], standbys: dict[str, Any]) -> None:
        """Write the inventory; the values are variables of the host."""
        groups = {
            name: {"hosts": {host: {"pg_server_port": self.ports[host], **more} for host, more in hosts.items()}}
            for name, hosts in (("pg_primary", primaries), ("pg_standby", standbys))
        }
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump({"postgres": {"children": groups}}))

    def command(self, playbook: str, *arguments: str, **variables: Any) -> list[str]:
        given = {
            **self.given,
            "pagila_load_source": "generated",
            **variables,
        }
        return [
            str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.inventory), playbook,
            "-e", json.dumps(given), *arguments,
        ]  # fmt: skip

    @property
    def given(self) -> dict[str, str]:
        """Variables that every run of a playbook gets."""
        return {"pg_server_fleet": self.name, "pg_server_secrets_directory": str(self.folder / "secrets")}

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        done = subprocess.run(
            self.command(playbook, *arguments, **variables), cwd=ROOT, env=self.environment, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip
        if done.returncode:
            assert raw_errors(done.stdout) == [], done.stdout
        return Run(done.returncode, done.stdout)

    def site(self, *arguments: str, **variables: Any) -> Run:
        """A run of site.yml that must succeed."""
        run = self.play("site.yml", *arguments, **variables)
        assert run.returncode == 0, run.output
        return run

    def kill_at(self, task: int | str, *arguments: str, playbook: str = "site.yml", **variables: Any) -> str:
        """Run a playbook and kill what it started on the control side, with the first result of its n-th task, or of one of that name.

        Other hosts are still at that task then. Tasks that every host skips do not count.
        """
        process = subprocess.Popen(
            self.command(playbook, *arguments, **variables), cwd=ROOT, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdout
        seen, count = "", 0
        for line in process.stdout:
            if not line.startswith("TASK ["):
                continue
            seen, count = line, count + 1
            if task in (count, line.rpartition("]")[0].rpartition(" : ")[2]):
                os.killpg(process.pid, signal.SIGKILL)
                break
        process.stdout.read()
        process.wait()
        return seen.strip()

    def psql(self, node: str, statement: str, database: str = "postgres") -> str:
        """Output of a statement on a node, as its superuser."""
        done = subprocess.run(
            [*as_postgres(), "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-p", str(self.ports[node]), "-d", database, "-c", statement],
            check=False, capture_output=True, text=True, cwd="/", timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def status(self) -> dict[str, Any]:
        """The JSON document of status.yml."""
        file = self.folder / "status.json"
        run = self.play("playbooks/status.yml", "-e", "output=json", "-e", f"output_file={file}")
        assert run.returncode == 0, run.output
        document: dict[str, Any] = json.loads(file.read_text())
        return document

    @cached_property
    def tasks_of_first_run(self) -> int:
        """How many tasks a run on empty nodes has; the fixture ``fleet`` has counted them."""
        self.destroy()
        tasks = self.site().output.count("\nTASK [")
        self.destroy()
        return tasks

    def stop(self, node: str) -> None:
        """Stop a server behind the playbooks' back."""
        data = self.psql(node, "SHOW data_directory")
        programs = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run(
            [*as_postgres(), f"{programs}/pg_ctl", "stop", "-s", "-m", "fast", "-D", data], check=True, cwd="/"
        )

    def forget_what_was_set_aside(self) -> None:
        """Remove the directories that were replaced; destroy.yml keeps them."""
        beside = f"/var/lib/postgresql/*/{self.name}_*.replaced-*"
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        subprocess.run([*as_root, "sh", "-c", f"rm -rf {beside}"], check=True)

    def destroy(self, *arguments: str) -> None:
        run = self.play("playbooks/destroy.yml", "-e", "confirm=yes", *arguments)
        assert run.returncode == 0, run.output


class TwoFleets(Fleet):
    """Two fleets in one inventory: orders (o1, o2, o3) and west (w1, w2)."""

    MEMBERS: ClassVar = {"orders": ("o1", "o2", "o3"), "west": ("w1", "w2")}

    def __init__(self, folder: Path, name: str, ports: dict[str, int]) -> None:
        nodes = [node for members in self.MEMBERS.values() for node in members]
        first = min(ports.values())
        super().__init__(folder, name, {node: first + at for at, node in enumerate(nodes)})

    def all_hosts(self) -> None:
        self.hosts({"o1": {}, "w1": {}}, {"o2": {}, "o3": {}, "w2": {}})

    def hosts(self, primaries: dict[str, Any], standbys: dict[str, Any]) -> None:
        fleets = {node: fleet for fleet, nodes in self.MEMBERS.items() for node in nodes}
        super().hosts(*(
            {node: {"pg_server_fleet": f"{self.name}_{fleets[node]}", **more} for node, more in hosts.items()}
            for hosts in (primaries, standbys)
        ))  # fmt: skip

    @property
    def given(self) -> dict[str, str]:
        return {"pg_server_secrets_directory": f"{self.folder}/secrets/{{{{ pg_server_fleet }}}}"}

    def called(self, fleet: str) -> str:
        """The name that a fleet has in the inventory."""
        return f"{self.name}_{fleet}"

    def destroy(self, *arguments: str) -> None:
        super().destroy("-e", "fleet=all", *arguments)
