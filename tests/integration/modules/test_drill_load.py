"""The load of drills and what is found in its recording, against real servers."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.analysis import judge
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.load import Load
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.process import (
    LoadFailed,
    running_pid,
    start_load,
    stop_all,
    stop_load,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.recording import Recording, read_recording
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.report import read_tables
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

WORDS = {"user": "drill", "password": "secret", "dbname": "drill", "application_name": "drill"}


class Pair:
    """A primary, a standby, and the load between them."""

    def __init__(self, servers: Any, folder: Path) -> None:
        self.primary = servers.primary("a", wal_level="replica", hot_standby="on")
        self.primary.psql("CREATE ROLE drill LOGIN PASSWORD 'secret' IN ROLE pg_monitor")
        self.primary.psql("CREATE DATABASE drill OWNER drill")
        self.standby = servers.standby(self.primary, "b")
        self.folder = folder
        nodes = {"a": ("127.0.0.1", self.primary.port), "b": ("127.0.0.1", self.standby.port)}
        self.load = Load(nodes, WORDS, 200, 50, 60)

    def start(self, **different: Any) -> int:
        for name, value in different.items():
            object.__setattr__(self.load, name, value)
        return start_load(self.folder, self.load, 20)

    def stop(self) -> Recording:
        assert stop_load(self.folder)
        return self.recording

    @property
    def recording(self) -> Recording:
        return read_recording(self.folder, self.load.nodes)

    def verdict(self, primary: str) -> dict[str, Any]:
        tables, problems = read_tables(self.load)
        assert problems == []
        return judge(self.recording, tables, primary).as_result()

    def until(self, condition: Callable[[Recording], bool], seconds: float = 20) -> None:
        until(lambda: condition(self.recording), seconds=seconds)

    def until_replayed(self) -> None:
        lsn = self.primary.psql("SELECT pg_current_wal_lsn()")
        until(lambda: self.standby.psql(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'") == "t")


@pytest.fixture
def pair(servers: Any, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(servers, tmp_path / "drill")
    yield made
    stop_load(made.folder)


def acked(recording: Recording, since: int = 0) -> int:
    return sum(write.acked is not None for write in recording.writes[since:])


def test_ledger_and_tables_agree_when_nothing_happens(pair: Pair) -> None:
    pair.start()
    pair.until(lambda seen: acked(seen) > 50)
    recording = pair.stop()
    pair.until_replayed()
    verdict = pair.verdict("a")
    assert verdict["acked"] == acked(recording) == int(pair.primary.psql("SELECT count(*) FROM drill_rows", "drill"))
    assert (verdict["acked_lost"], verdict["in_doubt"], verdict["foreign"]) == (0, 0, 0)
    assert verdict["rows_differing"] == {}
    assert verdict["writes"] == "went on"
    assert {read.role for read in recording.reads if read.node == "b"} == {"standby"}


def test_a_row_that_is_deleted_behind_its_back_is_missed(pair: Pair) -> None:
    pair.start()
    pair.until(lambda seen: acked(seen) > 30)
    pair.stop()
    pair.primary.psql("DELETE FROM drill_rows WHERE number IN (7, 11)", "drill")
    pair.primary.psql("INSERT INTO drill_rows VALUES (999999)", "drill")
    pair.until_replayed()
    verdict = pair.verdict("a")
    assert verdict["lost_rows"] == [7, 11]
    assert verdict["acked_lost"] == 2
    assert verdict["foreign"] == 1


def test_a_standby_with_other_rows_is_named(pair: Pair) -> None:
    pair.start()
    pair.until(lambda seen: acked(seen) > 10)
    pair.stop()
    pair.until_replayed()
    pair.standby.psql("SELECT pg_promote()")
    pair.standby.psql("DELETE FROM drill_rows WHERE number = 3", "drill")
    assert pair.verdict("a")["rows_differing"] == {"b": 1}


def test_the_writer_goes_to_whoever_leads(pair: Pair) -> None:
    pair.start()
    pair.until(lambda seen: acked(seen) > 10)
    pair.primary.stop("immediate")
    pair.until(lambda seen: any(read.node == "a" and not read.ok for read in seen.reads))
    pair.standby.psql("SELECT pg_promote()")
    pair.until(lambda seen: any(write.node == "b" and write.acked for write in seen.writes))
    recording = pair.stop()
    verdict = judge(recording, {}, "").as_result()
    assert verdict["acked_lost"] is None
    assert verdict["read_gap_ms"]["a"] > 0
    assert [write.node for write in recording.writes if write.acked][-1] == "b"


def test_a_mute_server_holds_nobody_up_for_long(pair: Pair) -> None:
    pair.start(write_seconds=1.0)
    pair.until(lambda seen: acked(seen) > 10)
    pids = [pair.primary.pid, *map(int, pair.primary.psql("SELECT pid FROM pg_stat_activity").split())]
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        pair.until(lambda seen: any(read.node == "a" and read.error == "timeout" for read in seen.reads))
        pair.until(lambda seen: any(write.error == "timeout" for write in seen.writes))
        pair.standby.psql("SELECT pg_promote()")
        pair.until(lambda seen: any(write.node == "b" and write.acked for write in seen.writes))
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_it_ends_by_itself(pair: Pair) -> None:
    pair.start(rows=100)
    until(lambda: not running_pid(pair.folder))
    assert len(pair.recording.writes) == 100
    assert not stop_load(pair.folder)


def test_the_password_is_for_us_alone_and_gone_in_the_end(pair: Pair) -> None:
    pair.start()
    files = {path.name: path for path in pair.folder.iterdir()}
    assert files["load.json"].stat().st_mode & 0o777 == 0o600
    assert [name for name, path in files.items() if "secret" in path.read_text()] == ["load.json"]
    pid = running_pid(pair.folder)
    assert b"secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    pair.stop()
    assert not files["load.json"].exists()


def test_what_an_interrupted_drill_left_is_ended_and_nothing_else(pair: Pair) -> None:
    pid = pair.start()
    (pair.folder.parent / "other").mkdir()
    (pair.folder.parent / "other/load.lock").write_text(f"{os.getpid()}\n")  # stale: nobody holds it
    assert stop_all(pair.folder.parent) == ["drill"]
    assert running_pid(pair.folder) is None
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_load_that_cannot_start_says_why_and_leaves_nothing(pair: Pair) -> None:
    pair.load.nodes["c"] = ("127.0.0.1", 1)  # type: ignore[index]
    with pytest.raises(LoadFailed, match="could not yet write a row and read every node"):
        start_load(pair.folder, pair.load, 2)
    assert running_pid(pair.folder) is None
