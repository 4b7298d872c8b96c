"""Real PostgreSQL servers for tests: made from one initdb, on loopback, gone afterwards."""

from __future__ import annotations

import itertools
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.certs import Hall
from ansible_collections.pgfleet.cluster.tests.integration.node_python import node_python_path

ROOT = Path(__file__).resolve().parents[3]
OWNER = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
NODE_PYTHON = "/usr/bin/python3"
_free_ports = itertools.count(20000 + os.getpid() % 100 * 100)  # below ephemeral ports; runs at the same time differ


def bin_dir() -> Path:
    """Programs of the newest PostgreSQL on this machine, or of PGFLEET_PG_BIN."""
    given = os.environ.get("PGFLEET_PG_BIN")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if given or found:
        return Path(given) if given else found[-1].parent
    pytest.exit("No PostgreSQL server programs below /usr/lib/postgresql; run 'make setup'.", 2)


def as_owner(*command: str | Path) -> list[str]:
    """The command, run by the owner of the servers (servers refuse to run as root)."""
    prefix = ["runuser", "-u", OWNER, "--"] if os.geteuid() == 0 else []
    return prefix + [str(word) for word in command]


def run(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run as the owner; fail the test with the program's own words."""
    done = subprocess.run(as_owner(*command), check=False, capture_output=True, text=True, cwd="/", timeout=120, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


def free_port() -> int:
    for port in _free_ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port")


@dataclass
class PgServer:
    """One throwaway server. ``socket`` trusts everybody; ``hba`` are the rules for TCP."""

    data: Path
    port: int
    socket: Path
    settings: dict[str, Any] = field(default_factory=dict)
    run = staticmethod(run)

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    @property
    def login(self) -> dict[str, Any]:
        """Module options that connect to this server as its superuser."""
        return {"login_unix_socket": str(self.socket), "login_port": self.port, "login_user": "postgres"}

    @property
    def replicator(self) -> dict[str, Any]:
        """Module options that log in over TCP for replication."""
        return {
            "login_host": "127.0.0.1",
            "login_port": self.port,
            "login_user": "replicator",
            "login_password": "secret",
        }

    def write_config(self, **settings: Any) -> None:
        self.settings.update(settings)
        lines = [f"{name} = '{value}'" for name, value in self.settings.items()]
        self.write("pgfleet_test.conf", "\n".join(lines) + "\n")

    def write(self, name: str, text: str) -> None:
        path = self.data / name
        run("sh", "-c", f'cat > "{path}"', input=text)

    def hba(self, *rules: str) -> None:
        """Replace the rules for TCP and reload."""
        self.write("pg_hba.conf", "\n".join(["local all all trust", "local replication all trust", *rules]) + "\n")
        if self.running:
            self.ctl("reload")

    def ctl(self, action: str, *more: str) -> None:
        run(bin_dir() / "pg_ctl", action, "-s", "-w", "-D", self.data, *more)

    def start(self) -> PgServer:
        self.ctl("start", "-l", str(self.log))
        return self

    def stop(self, mode: str = "fast") -> None:
        if self.running:
            self.ctl("stop", "-m", mode)

    @property
    def running(self) -> bool:
        command = as_owner(bin_dir() / "pg_ctl", "status", "-D", self.data)
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    @property
    def pid(self) -> int:
        return int(run("head", "-1", self.data / "postmaster.pid").stdout)

    def certificate(self, certificate: str, key: str, mode: str = "600") -> None:
        """Give the server a certificate with its key, and reload it."""
        self.write("server.pem", certificate)
        run("rm", "-f", self.data / "server.key")
        self.write("server.key", key)
        run("chmod", mode, self.data / "server.key")
        if self.running:
            self.ctl("reload")

    def psql(self, statement: str, database: str = "postgres", **variables: str) -> str:
        """Output of a statement, unaligned, without header."""
        sets = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
        return run(
            bin_dir() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *sets,
            "-h", self.socket, "-p", str(self.port), "-U", "postgres", "-d", database, input=statement,
        ).stdout.strip()  # fmt: skip


def initdb(path: Path) -> Path:
    run(
        bin_dir() / "initdb", "-D", path, "-U", "postgres", "-k", "--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C"
    )
    return path


@pytest.fixture(scope="session")
def workspace() -> Iterator[Path]:
    """A directory that the owner of the servers can write to."""
    path = Path(tempfile.mkdtemp(prefix="pgfleet-test-", dir="/tmp"))
    path.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(path, OWNER)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def pristine(workspace: Path) -> Path:
    """A data directory straight from initdb."""
    return initdb(workspace / "pristine")


class Servers:
    """Makes servers and stops every one of them at the end."""

    run = staticmethod(run)
    as_owner = staticmethod(as_owner)
    bin_dir = staticmethod(bin_dir)

    def __init__(self, folder: Path, pristine: Path) -> None:
        self.folder = folder
        self.pristine = pristine
        self.made: list[PgServer] = []

    def data(self, name: str = "") -> Path:
        return self.folder / (name or f"data{len(self.made)}")

    def server(self, data: Path, **settings: Any) -> PgServer:
        """A handle for a server in an existing data directory, on a port of its own."""
        made = PgServer(data, free_port(), self.folder)
        made.settings = {
            "port": made.port, "unix_socket_directories": self.folder, "listen_addresses": "127.0.0.1",
            "fsync": "off", "shared_buffers": "16MB", "max_wal_size": "256MB", "lc_messages": "C",
        }  # fmt: skip
        made.write_config(**settings)
        run("sh", "-c", f"grep -q pgfleet_test.conf '{data}/postgresql.conf'"
            f" || echo \"include 'pgfleet_test.conf'\" >> '{data}/postgresql.conf'")  # fmt: skip
        self.made.append(made)
        return made

    def primary(self, name: str = "", stranger: bool = False, **settings: Any) -> PgServer:
        """A running server with the role replicator (password 'secret'); a stranger has its own system identifier."""
        data = self.data(name)
        if stranger:
            initdb(data)
        else:
            run("cp", "-a", self.pristine, data)
        made = self.server(data, **settings)
        made.hba("host replication replicator 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256")
        made.start()
        made.psql("CREATE ROLE replicator REPLICATION LOGIN PASSWORD 'secret'")
        return made

    def standby(self, of: PgServer, name: str = "", slot: str = "", **settings: Any) -> PgServer:
        """A running standby, cloned by plain pg_basebackup, following over the socket."""
        data = self.data(name)
        use_slot = ["-S", slot] if slot else []
        run(bin_dir() / "pg_basebackup", "-D", data, "-h", of.socket, "-p", str(of.port), "-U", "postgres",
            "-R", "-c", "fast", "--no-sync", *use_slot)  # fmt: skip
        run("sh", "-c", f"echo \"cluster_name = '{data.name}'\" >> '{data}/postgresql.auto.conf'")
        return self.server(data, **settings).start()

    def stop(self) -> None:
        for made in self.made:
            made.stop("immediate")


@contextmanager
def some_servers(workspace: Path, pristine: Path) -> Iterator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="t", dir=workspace))
    folder.chmod(0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    made = Servers(folder, pristine)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def servers(workspace: Path, pristine: Path) -> Iterator[Servers]:
    with some_servers(workspace, pristine) as made:
        yield made


@pytest.fixture(scope="module")
def shared_servers(workspace: Path, pristine: Path) -> Iterator[Servers]:
    """Servers that all tests of a file use; tests leave them as they found them."""
    with some_servers(workspace, pristine) as made:
        yield made


@pytest.fixture(scope="session")
def module_path(workspace: Path) -> Path:
    return node_python_path(workspace)


@pytest.fixture
def module(module_path: Path, workspace: Path) -> Any:
    """Call a module as Ansible does on a node: ``module('replication_slot', name=..., **server.login)``.

    Returns its result; ``failed`` is always there. ``check=True`` is check mode.
    """

    def command(name: str, /, check: bool = False, **options: Any) -> tuple[list[str], str]:
        arguments = {"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check, "_ansible_diff": True}}
        started = as_owner(
            "env", f"PYTHONPATH={module_path}", NODE_PYTHON, "-W", "ignore",
            "-m", f"ansible_collections.pgfleet.cluster.plugins.modules.{name}",
        )  # fmt: skip
        return started, json.dumps(arguments)

    def call(name: str, /, check: bool = False, **options: Any) -> dict[str, Any]:
        started, arguments = command(name, check, **options)
        done = subprocess.run(
            started, check=False, input=arguments, capture_output=True, text=True, cwd="/", timeout=300
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, f"{name} printed no result: {done.stdout}{done.stderr}"
        return {"failed": False, **json.loads(lines[-1])}

    def start(name: str, /, **options: Any) -> subprocess.Popen[str]:
        started, arguments = command(name, **options)
        process = subprocess.Popen(
            started, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(arguments)
        process.stdin.close()
        return process

    call.start = start  # type: ignore[attr-defined]
    return call


@pytest.fixture(scope="module")
def hall(shared_servers: Servers) -> Hall:
    """Certificates and their authorities, for all tests of a file."""
    folder = shared_servers.folder / "hall"
    folder.mkdir(mode=0o755)
    return Hall(folder)


@pytest.fixture(scope="session")
def pagila_data() -> Path:
    """The data dump of the Pagila release. Whoever names a file means it; without a name its tests are skipped."""
    given = os.environ.get("PGFLEET_PAGILA_DATA")
    if not given:
        pytest.skip("PGFLEET_PAGILA_DATA does not name a copy of pagila-data.sql.")
    if not Path(given).is_file():
        pytest.fail(f"There is no file {given} (PGFLEET_PAGILA_DATA).")
    return Path(given)


if sys.version_info < (3, 11):
    pytest.exit("The tests need Python 3.11 or newer.", 2)
