"""Measure what backups and what protects them cost: a table for people, build/backup.json for programs.

Run by ``make bench-backup``. Each part is a function that gets the number of rounds and returns its figures and the seconds behind them; AIMS has
what each figure should be. Ports 5475 and 5476 must be free; what is made is removed again, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted

from ..certs import Hall
from . import repository
from .modules import Source, source
from .tools import ROOT, BenchError, as_owner, bin_dir, ratio, run, timed

PORT, STANDBY_PORT = 5475, 5476
CLONE_MB = 450
WAL_MB = 150
WAIT_SECONDS = 120
NAME = "node1"
RESULT = ROOT / "build/backup.json"

PROOF_MB = 112

Seconds = dict[str, list[float]]
Figures = dict[str, float]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def by_turns(rounds: int, ways: Mapping[str, Callable[[], float]]) -> Seconds:
    """Seconds of each way, in an order that turns, so that all have the same noise."""
    names = list(ways)
    seconds: Seconds = {name: [] for name in names}
    for turn in range(rounds):
        for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
            seconds[name].append(round(ways[name](), 3))
    return seconds


# --- TLS against none -------------------------------------------------------------------------------------------------


@dataclass
class Both:
    """A server that lets the replication role in over TLS with its certificate, and over plain TCP."""

    server: Source
    hall: Hall

    def prepare(self) -> None:
        for name, text in zip(("server.pem", "server.key"), self.hall.files(Wanted("server", NAME, names=(NAME,)))):
            self.server.write(self.server.data / name, text)
        for name, text in zip(
            ("client.pem", "client.key"), self.hall.files(Wanted("client", "replicator", usages=("client",)))
        ):
            self.server.write(self.server.folder / name, text)
        settings = {
            "ssl": "on", "ssl_cert_file": "server.pem", "ssl_key_file": "server.key", "ssl_ca_file": str(self.hall.ca_file),
            "ssl_min_protocol_version": "TLSv1.3", "autovacuum": "off",
        }  # fmt: skip
        self.server.psql(*(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()))
        self.server.write(self.server.data / "pg_hba.conf", "".join(f"{line}\n" for line in (
            "local all all trust",
            "hostssl replication replicator 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
            "hostnossl replication replicator 127.0.0.1/32 scram-sha-256",
        )))  # fmt: skip
        self.server.ctl("reload")

    def conninfo(self, tls: bool) -> str:
        words = {
            "host": NAME,
            "hostaddr": "127.0.0.1",
            "port": self.server.port,
            "user": "replicator",
            "passfile": self.server.passfile,
        }
        files = {
            "sslrootcert": self.hall.ca_file,
            "sslcert": self.server.folder / "client.pem",
            "sslkey": self.server.folder / "client.key",
        }
        more = {"sslmode": "verify-full", "channel_binding": "require", **files} if tls else {"sslmode": "disable"}
        return " ".join(f"{name}={value}" for name, value in {**words, **more}.items())

    def clone(self, tls: bool) -> float:
        return timed(*as_owner(
            bin_dir() / "pg_basebackup", "-D", self.server.clone, "-R", "-X", "stream", "-c", "fast", "-d", self.conninfo(tls),
        ), cwd=Path("/"))[0]  # fmt: skip


@contextmanager
def both_ways() -> Iterator[Both]:
    with source(PORT, CLONE_MB) as server:
        certificates = server.folder / "certificates"
        certificates.mkdir(mode=0o755)
        made = Both(server, Hall(certificates))
        made.prepare()
        yield made


def tls_clone(rounds: int) -> tuple[Figures, Seconds]:
    """pg_basebackup over TCP with verify-full and a client certificate, against none of it."""
    with both_ways() as both:

        def clone(tls: bool) -> float:
            seconds = both.clone(tls)
            shutil.rmtree(both.server.clone)
            return seconds

        clone(False)  # the first one finds the pages in no cache and is not counted
        seconds = by_turns(rounds, {"plain": lambda: clone(False), "tls": lambda: clone(True)})
    return {"tls_clone_over_plain": ratio(seconds["tls"], seconds["plain"])}, seconds


def tls_wal(rounds: int) -> tuple[Figures, Seconds]:
    """From the first byte that is written until a standby has replayed the last one."""
    with both_ways() as both, standby_of(both) as standby:
        both.server.psql("CREATE TABLE filled (text text)")
        ways = {name: lambda tls=tls: fill(both, standby, tls) for name, tls in (("plain", False), ("tls", True))}
        for way in ways.values():  # the first ones make segments of WAL that the others use again
            way()
        seconds = by_turns(rounds, ways)
    return {"tls_wal_over_plain": ratio(seconds["tls"], seconds["plain"])}, seconds


@contextmanager
def standby_of(both: Both) -> Iterator[Source]:
    """A clone that runs, with a log of its own."""
    both.clone(False)
    made = Source(both.server.folder, STANDBY_PORT)
    words = as_owner(bin_dir() / "pg_ctl", "-s", "-w", "-D", both.server.clone)
    options = f"-p {STANDBY_PORT} -k {both.server.folder} -c listen_addresses="
    run(*words, "start", "-o", options, "-l", both.server.folder / "standby.log", cwd=Path("/"))
    try:
        yield made
    finally:
        run(*words, "stop", "-m", "immediate", cwd=Path("/"))


def fill(both: Both, standby: Source, tls: bool) -> float:
    """Seconds of WAL_MB; nothing of the time in which the standby connects."""
    standby.psql(f"ALTER SYSTEM SET primary_conninfo = '{both.conninfo(tls)}'", "SELECT pg_reload_conf()")
    encrypted = (
        "SELECT count(*) FROM pg_stat_replication JOIN pg_stat_ssl USING (pid) WHERE state = 'streaming' AND ssl"
    )
    until(lambda: both.server.psql(f"{encrypted} = {tls}").strip() == "1", "the standby streams that way")
    both.server.psql("TRUNCATE filled", "CHECKPOINT")
    caught_up(both, standby)
    run("sync")
    start = time.monotonic()
    rows = WAL_MB * 128 * 4
    both.server.psql(f"INSERT INTO filled SELECT repeat(md5(n::text), 58) FROM generate_series(1, {rows}) AS n")
    caught_up(both, standby)
    return time.monotonic() - start


def caught_up(both: Both, standby: Source) -> None:
    lsn = both.server.psql("SELECT pg_current_wal_lsn()").strip()
    until(
        lambda: standby.psql(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'").strip() == "t",
        "the standby has replayed it",
    )


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"After {WAIT_SECONDS} s it is not so that {what}.")
        time.sleep(0.01)


# --- Backups and the archive ------------------------------------------------------------------------------------------


def backup(rounds: int) -> tuple[Figures, Seconds]:
    seconds = repository.backups(rounds, by_turns, CLONE_MB)
    return {
        "backup_over_basebackup": ratio(seconds["none"], seconds["basebackup"]),
        "backup_zst_over_basebackup": ratio(seconds["zst"], seconds["basebackup"]),
    }, seconds


def restore(rounds: int) -> tuple[Figures, Seconds]:
    seconds = repository.restores(rounds, by_turns, CLONE_MB)
    return {"restore_over_cp": ratio(seconds["restore"], seconds["cp"])}, seconds


def standby(rounds: int) -> tuple[Figures, Seconds]:
    seconds = repository.standbys(rounds, by_turns, CLONE_MB)
    return {"standby_from_repository_over_basebackup": ratio(seconds["repository"], seconds["basebackup"])}, seconds


def archive(rounds: int) -> tuple[Figures, Seconds]:
    return {"archive_segments_per_s": round(statistics.median(repository.archive_rate(rounds)), 2)}, {}


def pitr(rounds: int) -> tuple[Figures, Seconds]:
    seconds, missing, beyond = repository.pitr_proof(rounds, PROOF_MB)
    median = round(statistics.median(seconds), 2)
    return {"pitr_proof_s": median, "pitr_rows_missing": missing, "pitr_rows_beyond": beyond}, {"proof": seconds}


# --- All of them ------------------------------------------------------------------------------------------------------

PARTS: dict[str, tuple[Callable[[int], tuple[Figures, Seconds]], str]] = {
    "backup": (backup, f"full backups of {CLONE_MB} MB by pgBackRest, plain and compressed, against pg_basebackup"),
    "restore": (restore, "a restore, verified and flushed, against cp"),
    "standby": (standby, "a standby that streams, from the repository, against pg_basebackup"),
    "archive": (archive, f"a backlog of {repository.SEGMENTS} segments"),
    "pitr": (pitr, f"from a DROP TABLE in {PROOF_MB} MB to the proof of every row before it"),
    "tls_clone": (tls_clone, f"clone of {CLONE_MB} MB over TLS, against plain TCP"),
    "tls_wal": (tls_wal, f"{WAL_MB} MB of WAL written and replayed over TLS, against plain TCP"),
}
MOST, LEAST = "at most", "at least"
AIMS = {
    "backup_over_basebackup": (MOST, 1.5),
    "backup_zst_over_basebackup": (MOST, 5),
    "restore_over_cp": (MOST, 3),
    "standby_from_repository_over_basebackup": (MOST, 1.2),
    "archive_segments_per_s": (LEAST, 5),
    "pitr_proof_s": (MOST, 20),
    "pitr_rows_missing": (MOST, 0),
    "pitr_rows_beyond": (MOST, 0),
    "tls_clone_over_plain": (MOST, 1.2),
    "tls_wal_over_plain": (MOST, 1.3),
}


def measure(names: list[str], rounds: int) -> dict[str, Any]:
    result: dict[str, Any] = {"rounds": rounds, "figures": {}, "seconds": {}}
    for name in names:
        part, what = PARTS[name]
        say(what)
        figures, seconds = part(rounds)
        for figure, value in figures.items():
            relation, aim = AIMS[figure]
            result["figures"][figure] = {"value": value, "aim": f"{relation} {aim:g}"}
        result["seconds"] |= {f"{name}_{way}": values for way, values in seconds.items()}
    return result


def table(result: Mapping[str, Any]) -> str:
    lines = [("figure", "value", "aim")]
    lines += [(name, f"{figure['value']:g}", figure["aim"]) for name, figure in result["figures"].items()]
    lines += [("", "", ""), ("medians", "seconds", "")]
    lines += [(way, f"{statistics.median(values):.2f}", "") for way, values in result["seconds"].items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in lines)


def main() -> None:
    names = list(PARTS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="which parts")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = measure(given.only, given.rounds)
    except BenchError as error:
        sys.exit(str(error))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"cpus": os.cpu_count(), **result}, indent=2) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
