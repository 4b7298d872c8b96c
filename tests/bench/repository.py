"""What backups, restores and the archive cost, against PostgreSQL's own programs and against ``cp``."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..integration.node_python import node_python_path
from .modules import Source, source
from .tools import BenchError, as_owner, bin_dir, run, timed

PORT, OTHER_PORT = 5475, 5476
WAIT_SECONDS = 120
SEGMENTS = 60
STANZA = "bench"


@dataclass
class Kept:
    """A server whose WAL and backups pgBackRest keeps, in one repository for each way to compress."""

    server: Source
    python_path: Path

    def config(self, compress: str) -> Path:
        return self.server.folder / f"{compress}.conf"

    def repository(self, compress: str) -> dict[str, Any]:
        return {
            "provider": "pgbackrest",
            "stanza": STANZA,
            "config_file": str(self.config(compress)),
            "bin_dir": str(bin_dir()),
        }

    @property
    def login(self) -> dict[str, Any]:
        return {"login_unix_socket": str(self.server.folder), "login_port": self.server.port, "login_user": "postgres"}

    def prepare(self, *ways: str) -> None:
        for compress in ways:
            work = self.server.folder / f"work-{compress}"
            run(*as_owner("mkdir", "-p", work / "repository", work / "spool", work / "lock"), cwd=Path("/"))
            self.server.write(self.config(compress), "\n".join((
                "[global]", f"repo1-path={work}/repository", f"spool-path={work}/spool", f"lock-path={work}/lock",
                "log-level-file=off", "log-level-console=warn", "log-level-stderr=off", "start-fast=y", "process-max=2",
                f"compress-type={compress}", "compress-level=3" if compress == "zst" else "", "archive-async=y",
                "repo1-retention-full=9", f"[{STANZA}]", f"pg1-path={self.server.data}", f"pg1-port={self.server.port}",
                f"pg1-socket-path={self.server.folder}", "pg1-user=postgres", "",
            )))  # fmt: skip
            self.module("wal_archive", state="initialized", **self.repository(compress), **self.login)
        self.archive_to(ways[0])

    def archive_to(self, compress: str) -> None:
        command = f"pgbackrest --config={self.config(compress)} --stanza={STANZA} archive-push %p"
        self.server.psql(f"ALTER SYSTEM SET archive_command = '{command}'", "ALTER SYSTEM SET archive_mode = 'on'")
        self.server.ctl("restart", "-o", f"-p {self.server.port} -k {self.server.folder} -c listen_addresses=127.0.0.1")

    def module(self, name: str, **options: Any) -> dict[str, Any]:
        """A module, called as Ansible calls it on a node; with the seconds that it took."""
        arguments = self.server.folder / f"{name}.json"
        self.server.write(arguments, json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        seconds, output = timed(*as_owner(
            "env", f"PYTHONPATH={self.python_path}", "/usr/bin/python3", "-W", "ignore",
            "-m", f"ansible_collections.pgfleet.cluster.plugins.modules.{name}", arguments), cwd=Path("/"))  # fmt: skip
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
        return {**found, "took": seconds}

    def backup(self, compress: str) -> float:
        done = self.module("backup", type="full", wait=WAIT_SECONDS, **self.repository(compress), **self.login)
        return float(done["took"])

    def clone(self) -> float:
        """pg_basebackup over the socket, which is the fastest way there is."""
        return timed(*as_owner(
            bin_dir() / "pg_basebackup", "-D", self.server.clone, "-X", "stream", "-c", "fast", "-R", "-h", self.server.folder,
            "-p", str(self.server.port), "-U", "postgres"), cwd=Path("/"))[0]  # fmt: skip

    def restore(self, compress: str, **more: Any) -> dict[str, Any]:
        return self.module("restore", data_directory=str(self.server.clone), **self.repository(compress), **more)

    def forget_clone(self) -> None:
        if (self.server.clone / "postmaster.pid").exists():
            run(
                *as_owner(bin_dir() / "pg_ctl", "-s", "-w", "-D", self.server.clone, "stop", "-m", "immediate"),
                cwd=Path("/"),
            )
        shutil.rmtree(self.server.clone, ignore_errors=True)

    def until_streaming(self) -> float:
        """Seconds from the start of the clone's server until it streams."""
        start = time.monotonic()
        options = f"-p {OTHER_PORT} -k {self.server.folder} -c listen_addresses="
        run(*as_owner(bin_dir() / "pg_ctl", "-s", "-w", "-D", self.server.clone, "start", "-o", options, "-l", self.server.folder / "clone.log"),
            cwd=Path("/"))  # fmt: skip
        until(
            lambda: (
                self.server.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").strip() == "1"
            )
        )
        return time.monotonic() - start

    def all_archived(self) -> None:
        waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
        until(lambda: self.server.psql(waiting).strip() == "0")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"What was waited for has not come within {WAIT_SECONDS} s.")
        time.sleep(0.02)


@contextmanager
def kept(megabytes: int, *ways: str) -> Iterator[Kept]:
    with source(PORT, megabytes) as server:
        made = Kept(server, node_python_path(server.folder))
        try:
            made.prepare(*ways)
            yield made
        finally:
            made.forget_clone()


Seconds = dict[str, list[float]]
Turns = Callable[[int, Mapping[str, Callable[[], float]]], Seconds]


def backups(rounds: int, by_turns: Turns, megabytes: int) -> Seconds:
    """A full backup, uncompressed and compressed, until it can be restored; and pg_basebackup."""

    def clone() -> float:
        seconds = made.clone()
        made.forget_clone()
        return seconds

    def backup(compress: str) -> float:
        made.archive_to(compress)
        return made.backup(compress)

    with kept(megabytes, "none", "zst") as made:
        clone()  # the first one finds the pages in no cache and is not counted
        return by_turns(rounds, {"basebackup": clone, "none": lambda: backup("none"), "zst": lambda: backup("zst")})


def restores(rounds: int, by_turns: Turns, megabytes: int) -> Seconds:
    """The files of a backup laid out, verified and flushed; against cp."""

    def restore() -> float:
        done = made.restore("zst", mode="files")
        made.forget_clone()
        return float(done["took"])

    def copy() -> float:
        seconds = timed(
            *as_owner("sh", "-c", 'cp -a "$0" "$1" && sync', made.server.data, made.server.clone), cwd=Path("/")
        )[0]
        (made.server.clone / "postmaster.pid").unlink()
        made.forget_clone()
        return seconds

    with kept(megabytes, "zst") as made:
        made.backup("zst")
        copy()
        return by_turns(rounds, {"cp": copy, "restore": restore})


def standbys(rounds: int, by_turns: Turns, megabytes: int) -> Seconds:
    """A standby from nothing until it streams: from the repository, and by pg_basebackup."""

    def cloned() -> float:
        seconds = made.clone() + made.until_streaming()
        made.forget_clone()
        return seconds

    def restored() -> float:
        login = {"login_unix_socket": str(made.server.folder), "login_port": PORT, "login_user": "postgres"}
        seconds = float(made.restore("zst", mode="standby", **login)["took"]) + made.until_streaming()
        made.forget_clone()
        return seconds

    with kept(megabytes, "zst") as made:
        made.backup("zst")
        cloned()
        return by_turns(rounds, {"basebackup": cloned, "repository": restored})


def archive_rate(rounds: int) -> list[float]:
    """Segments a second, of a backlog."""
    found = []
    with kept(16, "zst") as made:
        for _round in range(rounds):
            made.all_archived()
            made.server.psql("ALTER SYSTEM SET archive_command = 'false'", "SELECT pg_reload_conf()")
            for _segment in range(SEGMENTS):
                made.server.psql("CREATE TABLE IF NOT EXISTS filled (text text)",
                                 "INSERT INTO filled SELECT repeat(md5(n::text), 58) FROM generate_series(1, 7000) AS n",
                                 "SELECT pg_switch_wal()")  # fmt: skip
            command = f"pgbackrest --config={made.config('zst')} --stanza={STANZA} archive-push %p"
            begin = time.monotonic()
            made.server.psql(
                f"ALTER SYSTEM SET archive_command = '{command}'", "SELECT pg_reload_conf()", "SELECT pg_switch_wal()"
            )
            made.all_archived()
            found.append(round(SEGMENTS / (time.monotonic() - begin), 2))
    return found


def pitr_proof(rounds: int, megabytes: int) -> tuple[list[float], int, int]:
    """From a DROP TABLE until every row before it is proven; rows that are missing then, and rows beyond it."""
    seconds, missing, beyond = [], 0, 0
    with kept(megabytes, "zst") as made:
        made.backup("zst")
        for _round in range(rounds):
            made.server.psql("CREATE TABLE ledger (n serial, at timestamptz DEFAULT clock_timestamp())")
            for _row in range(20):
                made.server.psql("INSERT INTO ledger DEFAULT VALUES")
            rows = int(made.server.psql("SELECT count(*) FROM ledger"))
            moment = made.server.psql("SELECT pg_current_wal_insert_lsn()").strip()
            made.server.psql("INSERT INTO ledger DEFAULT VALUES", "DROP TABLE ledger")
            begin = time.monotonic()
            made.module("wal_archive", state="continuous", wait=WAIT_SECONDS, **made.repository("zst"), **made.login)
            made.restore(
                "zst",
                target_type="lsn",
                target=moment,
                server_port=OTHER_PORT,
                socket_directory=str(made.server.folder),
            )
            there = Source(made.server.folder, OTHER_PORT).psql(
                f"SELECT count(*) FILTER (WHERE n <= {rows}) || ' ' || count(*) FILTER (WHERE n > {rows}) FROM ledger"
            )
            seconds.append(round(time.monotonic() - begin, 3))
            missing += rows - int(there.split()[0])
            beyond += int(there.split()[1])
            made.forget_clone()
    return seconds, missing, beyond
