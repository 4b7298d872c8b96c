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
        self.write_variables()
        self.all_hosts()

    def write_variables(self) -> None:
        """Those of inventory/local, without the question who runs this, which Ansible would ask for each task on each node."""
        given = (ROOT / "inventory/local/group_vars/postgres.yml").read_text()
        method = "su" if os.geteuid() == 0 else "sudo"
        text, found = re.subn(r"(?m)^(ansible_become_method: ).*", rf"\1ansible.builtin.{method}", given)
        assert found == 1
        (self.inventory / "group_vars/postgres.yml").write_text(text)

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
        compiled = Path(__file__).with_name("bytecode")
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(compiled), os.environ.get("PYTHONPATH")))),
        }

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
        done = self._psql(node, statement, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def answer(self, node: str, statement: str) -> str:
        """The same of a node whose server may be down, which answers nothing."""
        return self._psql(node, statement, "postgres").stdout.strip()

    def _psql(self, node: str, statement: str, database: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*as_postgres(), "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-p", str(self.ports[node]), "-d", database, "-c", statement],
            check=False, capture_output=True, text=True, cwd="/", timeout=60,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        """The JSON document of status.yml."""
        file = self.folder / "status.json"
        run = self.play("playbooks/status.yml", "-e", "output=json", "-e", f"output_file={file}")
        assert run.returncode == 0, run.output
        document: dict[str, Any] = json.loads(file.read_text())
        return document

    def site_and_status(self) -> tuple[Run, dict[str, Any]]:
        """A run of site.yml and the JSON document of its end, which is one change more."""
        file = self.folder / "end.json"
        file.unlink(missing_ok=True)
        run = self.site(pg_server_report_file=str(file))
        return run, json.loads(file.read_text())

    def nothing_to_do(self) -> dict[str, Any]:
        """The document with which a run of site.yml ends that must find nothing to do."""
        run, document = self.site_and_status()
        assert run.changed == 1, f"more than the document was written: {run.output}"
        return document

    @cached_property
    def tasks_of_first_run(self) -> int:
        """How many tasks a run on empty nodes has; the fixture ``fleet`` has counted them."""
        self.wipe()
        tasks = self.site().output.count("\nTASK [")
        self.wipe()
        return tasks

    def stop(self, node: str) -> None:
        """Stop a server behind the playbooks' back."""
        data = self.psql(node, "SHOW data_directory")
        programs = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run(
            [*as_postgres(), f"{programs}/pg_ctl", "stop", "-s", "-m", "fast", "-D", data], check=True, cwd="/"
        )

    def wipe(self) -> None:
        """Remove the fleet behind the playbooks' back, in whatever state it is: for the time before the tests and after them."""
        for data in Path("/var/lib/postgresql").glob(f"*/{self.name}_*"):
            if self._as_root("test", "-e", f"{data}/postmaster.pid", check=False):
                programs = f"/usr/lib/postgresql/{data.parent.name}/bin"
                stop = [
                    *as_postgres(),
                    f"{programs}/pg_ctl",
                    "stop",
                    "-s",
                    "-m",
                    "immediate",
                    "-t",
                    "20",
                    "-D",
                    str(data),
                ]
                subprocess.run(
                    stop, check=False, cwd="/", capture_output=True
                )  # a server may have died and left its file
        places = ("/etc/postgresql/*", "/var/lib/postgresql/*", "/run/pgfleet", "/var/log/postgresql")
        names = " ".join(
            f"{place}/{'postgresql-*-' * place.endswith('log/postgresql')}{self.name}_*" for place in places
        )
        names += f" /var/spool/pgbackrest/*-{self.name}_* /var/lib/pgfleet-backup/{self.name}"
        self._as_root("sh", "-c", f"rm -rf {names}")
        shutil.rmtree(self.folder / "secrets", ignore_errors=True)

    def _as_root(self, *command: str, check: bool = True) -> bool:
        prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
        return subprocess.run([*prefix, *command], check=check, cwd="/").returncode == 0

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
