# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Ask a standby, and the others, whether it may be promoted; wait for what it lacks; promote it."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from .._errors import PgFleetError, QueryFailed
from .._postgres.connection import Server, connect
from .._postgres.login import Login
from .._status.sql import RIGHTS, wal_timeline
from .._status.values import timeline_of_wal_file
from .handover import Handover, read_handover
from .promote import Candidate, Conditions, Peer, PromotionRefused, is_ready, is_told, not_replayed

POLL_SECONDS = 0.02
PEER_SECONDS = 3
FACTS = """
SELECT recovering,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       CASE WHEN recovering THEN greatest(timeline_id, min_recovery_end_timeline, received, {written}) END AS timeline,
       CASE WHEN NOT recovering THEN pg_walfile_name(pg_current_wal_lsn()) END AS wal_file,
       CASE WHEN recovering THEN pg_last_wal_replay_lsn()::text END AS replay,
       CASE WHEN recovering THEN pg_last_wal_receive_lsn()::text END AS receive,
       CASE WHEN recovering THEN pg_is_wal_replay_paused() ELSE false END AS paused,
       ARRAY(SELECT application_name FROM pg_stat_activity WHERE backend_type = 'walsender') AS sessions
  FROM (SELECT pg_is_in_recovery() AS recovering) AS node, pg_control_checkpoint(), pg_control_recovery(),
       (SELECT max(received_tli) AS received FROM pg_stat_wal_receiver) AS receiver
"""


@functools.cache
def facts_query(server: Server) -> str:
    """The statement, for what this session's role may see."""
    return FACTS.replace("{written}", wal_timeline(server.row(RIGHTS)))


def read(server: Server) -> tuple[Candidate, Handover]:
    row = server.row(facts_query(server))
    wal_file, sessions = row.pop("wal_file"), row.pop("sessions")
    timeline = timeline_of_wal_file(wal_file) if wal_file else int(row["timeline"])
    return Candidate(server.address, **{**row, "timeline": timeline}), read_handover(sessions)


def await_handover(server: Server, conditions: Conditions, begin: float) -> Conditions:
    """The conditions, with the position that the old primary tells within ``begin`` seconds."""
    deadline = time.monotonic() + begin
    begun = False
    while True:
        found, handover = read(server)
        begun = begun or handover.alive
        if is_told(found, handover, begun, late=time.monotonic() >= deadline):
            return replace(conditions, after_lsn=handover.lsn)
        time.sleep(POLL_SECONDS)


def wait_until_ready(
    server: Server, conditions: Conditions, handed_over: bool, seconds: float
) -> tuple[Candidate, float]:
    """The server once it may be promoted, and the seconds that took. ``handed_over``: the old primary keeps a session here."""
    began = time.monotonic()
    while True:
        found, handover = read(server)
        waited = time.monotonic() - began
        if is_ready(found, handover if handed_over else None, conditions):
            return found, waited
        if waited >= seconds:
            raise not_replayed(found, conditions, waited)
        time.sleep(POLL_SECONDS)


def ask_peers(peers: Sequence[Mapping[str, Any]], login: Login) -> list[Peer]:
    """What the others are, as far as they answer."""
    with ThreadPoolExecutor(max_workers=len(peers)) as pool:
        return [peer for peer in pool.map(lambda each: _ask_peer(each, login), peers) if peer]


def _ask_peer(peer: Mapping[str, Any], login: Login) -> Peer | None:
    there = replace(login, host=peer["address"], port=peer["port"], connect_timeout=PEER_SECONDS)
    try:
        with connect(there, replication=True) as server:
            source = server.row("IDENTIFY_SYSTEM")
            standby = server.connection.get_parameter_status("in_hot_standby")
            return Peer(peer["name"], str(source["systemid"]), int(source["timeline"]), standby != "off")
    except PgFleetError:
        return None


def promote(server: Server, timeout: int) -> float:
    began, words = time.monotonic(), f"it has not done so after {timeout} s"
    try:
        done = server.row("SELECT pg_promote(true, %s) AS done", (timeout,))["done"]
    except QueryFailed as error:
        done, words = False, str(error)
    if not done:
        raise PromotionRefused(
            f"{server.address} was told to become a primary, but {words}.",
            "It may still do so: look at its log, then run again. Do not start the old primary.",
            "promotion_unfinished",
        )
    return round(time.monotonic() - began, 3)
