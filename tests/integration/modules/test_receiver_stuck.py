"""A WAL receiver that connects to what never answers."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from ansible_collections.pgfleet.cluster.tests.integration.modules.test_change_of_primary import follow, pair, streams
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

RECEIVER = (
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walreceiver' AND wait_event ILIKE 'libpqwalreceiverconnect'"
)


def test_a_receiver_that_hangs_is_seen_and_ended(servers: Any, module: Any) -> None:
    _old, new = pair(servers)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        new.psql(f"ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port={hole.getsockname()[1]} user=replicator'")
        new.ctl("reload")

        def receiver() -> str:
            return str(new.psql(RECEIVER))

        until(receiver)
        seen = module("replication_status", **new.login)
        assert seen["findings"][0]["code"] == "not_streaming", seen["findings"]
        assert "has been connecting for" in seen["findings"][0]["message"]

        first = seen["status"]["connecting"]["pid"]
        ending = {"data_directory": str(new.data), "signal": "end_receiver"}
        assert module("server_signal", check=True, pid=first, **ending)["pids"] == [first]
        assert module("server_signal", pid=first, **ending)["changed"]
        assert not module("server_signal", pid=first, **ending)["changed"], "that one is gone"
        assert not module("server_signal", pid=new.pid, **ending)["changed"], "the server is no WAL receiver"
        until(lambda: receiver() not in ("", str(first)))
    assert new.running


def test_a_standby_notices_a_peer_that_is_gone(servers: Any, module: Any) -> None:
    """The kernel's timers of its connection are those that it was told; a standby that is there gets them by a reload."""
    primary, standby = pair(servers)
    options = {"dest": str(standby.data), **follow(standby, primary), "application_name": "new"}
    done = module("basebackup", **options)
    assert (done["action"], done["recovery_changed"]) == ("kept", True), done
    assert not module("basebackup", **options)["changed"]
    standby.ctl("reload")
    until(
        lambda: standby.psql("SELECT sender_host FROM pg_stat_wal_receiver WHERE status = 'streaming'") == "127.0.0.1"
    )
    streams(primary)
    told = standby.psql("SHOW primary_conninfo")
    assert "keepalives_idle=10" in told
    assert "tcp_user_timeout=30000" in told

    def timers() -> str:
        command = ["ss", "-tnoH", f"dport = {primary.port}"]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout

    until(lambda: "timer:(keepalive," in timers())
    assert "min" not in timers().split("timer:(keepalive,")[1].split(",")[0]
