"""Single modules against what they replace, on a throwaway server."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..integration.node_python import node_python_path
from .tools import BUILD, OWNER, BenchError, as_owner, bin_dir, play, run, seconds_by_task, timed

PORT = 5470
SOURCE_MB = 1024
SLOTS = 16


@dataclass
class Source:
    """A server with so much in it, and a place beside it for clones."""

    folder: Path
    port: int = PORT
    megabytes: int = SOURCE_MB

    @property
    def data(self) -> Path:
        return self.folder / "source"

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    def ctl(self, action: str, *more: str | Path) -> None:
        run(*as_owner(bin_dir() / "pg_ctl", action, "-s", "-w", "-D", self.data, *more), cwd=Path("/"))

    def psql(self, *statements: str) -> str:
        words = [word for statement in statements for word in ("-c", statement)]
        return run(*as_owner(
            bin_dir() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port),
            "-U", "postgres", *words), cwd=Path("/"))  # fmt: skip

    def create(self) -> None:
        """initdb, rows without WAL, then the settings of a primary."""
        run(
            *as_owner(bin_dir() / "initdb", "-D", self.data, "-U", "postgres", "-k", "-N", "-A", "trust"), cwd=Path("/")
        )
        settings = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self.ctl("start", "-o", f"{settings} -c fsync=off -c wal_level=minimal -c max_wal_senders=0", "-l", self.log)
        pages = self.megabytes * 128
        self.psql(
            "CREATE TABLE bulk (text text); ALTER TABLE bulk ALTER text SET STORAGE plain",
            "BEGIN; TRUNCATE bulk; INSERT INTO bulk SELECT repeat(md5(n::text), 60)"
            f" FROM generate_series(1, {pages * 4}) AS n; COMMIT; CHECKPOINT",
        )
        self.ctl("restart", "-o", f"{settings} -c max_replication_slots={SLOTS + 4}", "-l", self.log)
        self.psql(
            "SET password_encryption = 'scram-sha-256'; CREATE ROLE replicator REPLICATION LOGIN PASSWORD 'bench'",
            "SELECT pg_create_physical_replication_slot('bench', true)",
        )
        hba = "local all all trust\nhost replication replicator 127.0.0.1/32 scram-sha-256\n"
        self.write(self.data / "pg_hba.conf", hba)
        self.write(self.passfile, f"*:{self.port}:*:replicator:bench\n")
        self.ctl("reload")

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def passfile(self) -> Path:
        return self.folder / "passfile"

    def write(self, path: Path, text: str) -> None:
        run(*as_owner("sh", "-c", 'umask 077 && cat > "$0"', path), cwd=Path("/"), text=text)


@contextmanager
def source(port: int = PORT, megabytes: int = SOURCE_MB) -> Iterator[Source]:
    """The server, stopped and gone afterwards whatever happens."""
    made = Source(Path(tempfile.mkdtemp(prefix="pgfleet-bench-", dir="/var/tmp")), port, megabytes)
    if OWNER:
        shutil.chown(made.folder, OWNER, OWNER)
    try:
        made.create()
        yield made
    finally:
        if (made.data / "postmaster.pid").exists():
            made.ctl("stop", "-m", "immediate")
        shutil.rmtree(made.folder, ignore_errors=True)


# --- basebackup -------------------------------------------------------------------------------------------------------


def plain_clone(made: Source, python_path: Path) -> float:
    conninfo = f"host=127.0.0.1 port={PORT} user=replicator passfile={made.passfile}"
    return timed(*as_owner(
        bin_dir() / "pg_basebackup", "-D", made.clone, "-R", "-X", "stream", "-c", "fast", "-S", "bench",
        "-d", conninfo), cwd=Path("/"))[0]  # fmt: skip


def module_clone(made: Source, python_path: Path, verify: bool) -> float:
    """Seconds of the module, called as Ansible calls it on a node."""
    options: dict[str, Any] = {
        "data_directory": str(made.clone), "bin_dir": str(bin_dir()), "slot": "bench", "passfile": str(made.passfile),
        "login_host": "127.0.0.1", "login_port": PORT, "login_user": "replicator", "verify": verify,
    }  # fmt: skip
    arguments = made.folder / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    arguments.chmod(0o644)
    seconds, output = timed(*as_owner(
        "env", f"PYTHONPATH={python_path}", "/usr/bin/python3", "-W", "ignore",
        "-m", "ansible_collections.pgfleet.cluster.plugins.modules.basebackup", arguments), cwd=Path("/"))  # fmt: skip
    if not json.loads(output.splitlines()[-1]).get("changed"):
        raise BenchError(f"The module did not clone: {output}")
    return seconds


def basebackup(made: Source, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way to clone, in an order that turns from round to round."""
    ways = {
        "plain": plain_clone,
        "module": lambda made, path: module_clone(made, path, False),
        "module_verified": lambda made, path: module_clone(made, path, True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    python_path = node_python_path(made.folder)
    plain_clone(made, python_path)  # the first one finds the source's pages in no cache and is not counted
    shutil.rmtree(made.clone)
    for turn in range(rounds):
        for name in [*list(ways)[turn % 3 :], *list(ways)[: turn % 3]]:
            seconds[name].append(ways[name](made, python_path))
            shutil.rmtree(made.clone)
    return seconds


# --- replication_slot -------------------------------------------------------------------------------------------------


def slot_playbook(name: str, folder: Path, tasks: list[dict[str, Any]]) -> Path:
    login = {"login_unix_socket": str(folder), "login_port": PORT, "login_user": "postgres"}
    play = {
        "name": name,
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "/usr/bin/python3"},
        "module_defaults": {"group/pgfleet.cluster.cluster": login},
        "tasks": tasks,
    }
    path = BUILD / f"{name}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([play]))
    return path


def _seconds_of_tasks(playbook: Path) -> float:
    return sum(seconds_by_task(play("-i", "localhost,", playbook)[1]).values())


def slots(made: Source, rounds: int) -> dict[str, list[float]]:
    """Seconds of the tasks that make sixteen slots, one slot a task and all in one call."""
    names = [f"slot{number}" for number in range(SLOTS)]
    single = [
        {"name": f"Create {name}", "community.postgresql.postgresql_slot": {"name": name, "immediately_reserve": True}}
        for name in names
    ]
    together = [
        {"name": "Create all", "pgfleet.cluster.replication_slot": {"slots": [{"name": name} for name in names]}}
    ]
    seconds: dict[str, list[float]] = {"tasks": [], "call": []}
    for _turn in range(rounds):
        for kind, tasks in (("tasks", single), ("call", together)):
            seconds[kind].append(_seconds_of_tasks(slot_playbook(f"slots_{kind}", made.folder, tasks)))
            made.psql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name <> 'bench'")
    return seconds
