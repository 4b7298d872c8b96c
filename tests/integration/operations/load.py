"""A writer that remembers what was acknowledged, and what a cluster must be like after an operation."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.pgfleet.cluster.tests.integration.fleet import NODES, as_postgres

__all__ = ["NODES", "Ledger", "full", "kill", "leader", "leads", "refuse", "roles", "started", "succeed", "writing"]


class Ledger:
    """What the servers have acknowledged, with the moment of each row."""

    def __init__(self, fleet: Any, file: Path) -> None:
        self.fleet = fleet
        self.file = file

    @property
    def rows(self) -> list[tuple[int, float]]:
        pairs = (line.split() for line in self.file.read_text().splitlines())
        return [(int(number), float(moment)) for number, moment in pairs]

    @property
    def longest_gap(self) -> float:
        moments = [moment for _number, moment in self.rows]
        return max(later - earlier for earlier, later in zip(moments, moments[1:]))

    def lost(self, node: str) -> set[int]:
        """Acknowledged rows that a node does not have."""
        acknowledged = {number for number, _moment in self.rows}  # first: more are acknowledged meanwhile
        return acknowledged - {int(line) for line in self.fleet.psql(node, "SELECT n FROM ledger").splitlines()}


@contextmanager
def writing(fleet: Any) -> Iterator[Ledger]:
    """A steady load on whoever takes writes."""
    folder = Path(tempfile.mkdtemp(prefix="pgfleet-ledger-"))
    folder.chmod(0o777)
    program = shutil.copy(Path(__file__).with_name("writer.py"), folder)
    ledger = Ledger(fleet, folder / "ledger")
    process = subprocess.Popen(
        [*as_postgres(), "/usr/bin/python3", program, str(ledger.file), *map(str, fleet.ports.values())], cwd="/"
    )
    try:
        yield ledger
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def succeed(cluster: Any, playbook: str, /, *arguments: str, **variables: Any) -> Any:
    run = cluster.play(f"playbooks/{playbook}.yml", *arguments, **variables)
    assert run.returncode == 0, run.output
    return run


def refuse(cluster: Any, playbook: str, words: str, /, **variables: Any) -> None:
    run = cluster.play(f"playbooks/{playbook}.yml", **variables)
    assert run.returncode != 0
    assert words in " ".join(run.output.split()), run.output
    assert run.changed == 0


def roles(fleet: Any) -> dict[str, str]:
    return {node["name"]: node["role"] for node in fleet.status()["nodes"]}


def leader(fleet: Any) -> str:
    """The only node that takes writes."""
    (name,) = (node for node in NODES if fleet.answer(node, "SELECT pg_is_in_recovery()") == "f")
    return name


def leads(fleet: Any, name: str) -> None:
    """The node leads a whole cluster, in which site.yml finds nothing to do."""
    document = fleet.nothing_to_do()
    assert document["problems"] == []
    assert {node["name"]: node["role"] for node in document["nodes"]} == {
        node: "primary" if node == name else "standby" for node in NODES
    }
    slots = {
        node: fleet.psql(node, "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots")
        for node in NODES
    }
    assert slots == {
        node: " ".join(sorted(f"{other}_slot" for other in NODES if other != name)) if node == name else ""
        for node in NODES
    }


@contextmanager
def full(fleet: Any, node: str) -> Iterator[None]:
    """Superuser sessions on every connection of a server, the reserved ones too."""
    program = (
        "import psycopg2, sys\n"
        "held = []\n"
        "try:\n"
        "    while True: held.append(psycopg2.connect(host='/var/run/postgresql', port=sys.argv[1], user='postgres', dbname='postgres'))\n"
        "except psycopg2.OperationalError: print(len(held), flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [*as_postgres(), "/usr/bin/python3", "-c", program, str(fleet.ports[node])], cwd="/",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        assert int(process.stdout.readline()) > 0
        yield
    finally:
        process.communicate("")


def started(fleet: Any, node: str) -> str:
    found: str = fleet.psql(node, "SELECT pg_postmaster_start_time()")
    return found


def kill(fleet: Any, node: str, how: int = signal.SIGKILL) -> None:
    data = fleet.psql(node, "SHOW data_directory")
    pid = (Path(data) / "postmaster.pid").read_text().split()[0]
    subprocess.run([*as_postgres(), "kill", f"-{int(how)}", pid], check=True)
