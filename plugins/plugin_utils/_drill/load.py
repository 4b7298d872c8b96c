# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The load of a drill, a process of its own: one client writes numbered rows, one for each node reads.

    python -m ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.load DIRECTORY

reads ``load.json`` in the directory and writes the recording beside it. It ends by itself when its time or its rows are
used up, and on SIGTERM. A lock on ``load.lock``, which holds its process number, is kept as long as it runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from .client import Failed, Session
from .recording import READS, WRITES, note_event

SPEC = "load.json"
LOCK = "load.lock"
CREATE = (
    "CREATE TABLE IF NOT EXISTS drill_rows"
    " (number bigint PRIMARY KEY, written_at timestamptz NOT NULL DEFAULT clock_timestamp())"
)
INSERT = "INSERT INTO drill_rows (number) VALUES (%s)"
READ = (
    "SELECT pg_is_in_recovery(), coalesce((SELECT max(number) FROM drill_rows), 0),"
    " ARRAY(SELECT application_name::text FROM pg_stat_replication WHERE state = 'streaming')"
)
CONNECT_SECONDS = 2.0
READ_SECONDS = 1.0
RETRY_SECONDS = 0.05


@dataclass(frozen=True)
class Load:
    """What to do. ``nodes`` is host and port by name, ``login`` the other words of a connection."""

    nodes: Mapping[str, tuple[str, int]]
    login: Mapping[str, Any]
    writes_per_second: float = 100
    reads_per_second: float = 20
    seconds: float = 900
    rows: int = 200_000
    write_seconds: float = 10

    @classmethod
    def from_file(cls, path: Path) -> Load:
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def writer_target(self, first: int) -> dict[str, Any]:
        """All nodes in one connection string, another one first each time: an unresponsive one must not hide the others."""
        names = list(self.nodes)
        turned = [self.nodes[name] for name in names[first % len(names) :] + names[: first % len(names)]]
        hosts, ports = zip(*turned)
        places = {"host": ",".join(hosts), "port": ",".join(map(str, ports))}
        return {**self.login, **places, "target_session_attrs": "read-write"}

    def reader_target(self, node: str) -> dict[str, Any]:
        host, port = self.nodes[node]
        return {**self.login, "host": host, "port": port}

    def name_of(self, address: tuple[str, int]) -> str:
        return next((name for name, place in self.nodes.items() if tuple(place) == address), "")


@dataclass
class Recorder:
    """Appends lines, of several threads to the same file, each written at once."""

    file: TextIO
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, **facts: Any) -> None:
        with self.lock:
            self.file.write(json.dumps(facts) + "\n")


class Client:
    """What writer and readers share: they keep a pace, and end when they are told to."""

    def __init__(self, load: Load, recorder: Recorder, stop: threading.Event, rate: float) -> None:
        self.load = load
        self.recorder = recorder
        self.stop = stop
        self.interval = 1 / rate
        self.ready = threading.Event()
        self.session: Session | None = None
        self._due = time.monotonic()

    def paced(self) -> bool:
        """Wait for the next turn; False when it is time to end. Missed turns are not made up for."""
        now = time.monotonic()
        self._due = max(self._due + self.interval, now)
        return not self.stop.wait(self._due - now)

    def drop_session(self) -> None:
        if self.session:
            self.session.close()
        self.session = None


class Writer(Client):
    """Commits rows 1, 2, 3, ... one at a time. A row without an acknowledgement is never sent again."""

    turn = 0

    def run(self) -> None:
        for number in range(1, self.load.rows + 1):
            session = self.connected() if self.paced() else None
            if session is None:
                break
            self.write(session, number)
        self.drop_session()

    def connected(self) -> Session | None:
        while self.session is None and not self.stop.is_set():
            try:
                session = Session(self.load.writer_target(self.turn), CONNECT_SECONDS)
                if not self.ready.is_set():
                    session.query(CREATE, (), self.load.write_seconds)
                self.session = session
            except Failed:
                self.turn += 1
                self.stop.wait(RETRY_SECONDS)
        return self.session

    def write(self, session: Session, number: int) -> None:
        node = self.load.name_of(session.address)
        self.recorder.note(number=number, sent=time.monotonic(), node=node)
        try:
            session.query(INSERT, (number,), self.load.write_seconds)
        except Failed as failure:
            self.recorder.note(number=number, error=failure.code)
            self.drop_session()
            return
        if session.warned:
            self.recorder.note(number=number, error="warned")
            return
        self.recorder.note(number=number, acked=time.monotonic())
        self.ready.set()


class Reader(Client):
    """Reads one node over one session. What happens before its first answer is not noted."""

    def __init__(self, node: str, *rest: Any) -> None:
        super().__init__(*rest)
        self.node = node

    def run(self) -> None:
        while self.paced():
            sent = time.monotonic()
            facts = self.read()
            if "error" not in facts:
                self.ready.set()
            if self.ready.is_set():
                self.recorder.note(node=self.node, sent=sent, done=time.monotonic(), **facts)
        self.drop_session()

    def read(self) -> dict[str, Any]:
        try:
            self.session = self.session or Session(self.load.reader_target(self.node), READ_SECONDS)
            in_recovery, last, standbys = self.session.query(READ, (), READ_SECONDS)[0]
        except Failed as failure:
            self.drop_session()
            return {"error": failure.code}
        return {"role": "standby" if in_recovery else "primary", "last_row": last, "standbys": sorted(standbys)}


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock that says a load runs; raises BlockingIOError when another one does."""
    with (directory / LOCK).open("a+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def reporting(work: Callable[[], None], stop: threading.Event) -> Callable[[], None]:
    """The work of a thread; when it fails, everything ends, and the log says why."""

    def run() -> None:
        try:
            work()
        except Exception:
            traceback.print_exc()
            stop.set()

    return run


def run(directory: Path, load: Load, stop: threading.Event) -> None:
    with (
        (directory / WRITES).open("a", buffering=1, encoding="utf-8") as writes,
        (directory / READS).open("a", buffering=1, encoding="utf-8") as reads,
    ):
        read = Recorder(reads)
        writer = Writer(load, Recorder(writes), stop, load.writes_per_second)
        clients: list[Client] = [writer]
        clients += [Reader(node, load, read, stop, load.reads_per_second) for node in load.nodes]
        threads = [threading.Thread(target=reporting(client.run, stop)) for client in clients]  # type: ignore[attr-defined]
        for thread in threads:
            thread.start()
        supervise(directory, load, stop, clients, threads)


def supervise(
    directory: Path, load: Load, stop: threading.Event, clients: list[Client], threads: list[threading.Thread]
) -> None:
    """Say when everybody is at work, and end when the time is up or the rows are written."""
    deadline = time.monotonic() + load.seconds
    ready = False
    while threads[0].is_alive() and time.monotonic() < deadline and not stop.wait(0.02):
        if not ready and all(client.ready.is_set() for client in clients):
            ready = True
            note_event(directory, "ready", "every node is read, rows are written")
    if not stop.is_set():
        print(f"its {load.seconds:g} s or {load.rows} rows were used up", flush=True)
    stop.set()
    for thread in threads:
        thread.join()


def main() -> None:
    directory = Path(sys.argv[1])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with locked(directory):
        run(directory, Load.from_file(directory / SPEC), stop)


if __name__ == "__main__":
    main()
