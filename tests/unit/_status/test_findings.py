# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import REFUSALS
from ansible_collections.pgfleet.cluster.plugins.module_utils._slot.plan import Slot
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.expectations import Expectations, check
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.findings import findings
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.reasons import REMEDIES, reason, unique
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import (
    Archiver,
    Checksums,
    ConfigError,
    Connecting,
    Lsns,
    Overridden,
    Settings,
    Standby,
    Status,
    Upstream,
    WalReceiver,
    real_file_errors,
    timeline_of_wal_file,
    upstream_of,
)

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
CODES = PLUGINS.parent / "docs/reason-codes.md"

NODE1 = Standby(
    "node1",
    state="streaming",
    sync_state="async",
    replay_lsn="0/5000000",
    lag_bytes=0,
    lag_seconds=0.0,
    slot="node1_slot",
)
NODE2 = replace(NODE1, name="node2", slot="node2_slot")
SLOT1 = Slot(
    "node1_slot",
    "physical",
    active=True,
    active_pid=7,
    restart_lsn="0/5000000",
    wal_status="reserved",
    retained_bytes=0,
)
SETTINGS = Settings(pending_restart=(), reload_pending=False, file_errors=(), hba_errors=())
PRIMARY = Status(
    "primary:5432",
    running=True,
    reachable=True,
    role="primary",
    system_identifier="7",
    timeline=1,
    lsn=Lsns(current="0/5000000", flush="0/5000000"),
    standbys=(NODE1, NODE2),
    slots=(SLOT1,),
    settings=SETTINGS,
)
RECEIVER = WalReceiver("streaming", "primary", 5432, "node1_slot", 1, "0/5000000", "0/5000000", 0.1)
STANDBY = Status(
    "node1:5432",
    running=True,
    reachable=True,
    role="standby",
    system_identifier="7",
    timeline=1,
    lsn=Lsns(receive="0/5000000", replay="0/5000000"),
    wal_receiver=RECEIVER,
    upstream=Upstream("primary", 5432, "node1_slot", "node1", "replicator"),
    replay_lag_seconds=0.0,
    settings=SETTINGS,
)
SILENT = replace(STANDBY, wal_receiver=None)
BEHIND = replace(STANDBY, lsn=Lsns(receive="0/5000000", replay="0/4000000"), replay_lag_seconds=9.5)
SHIPPED = replace(SILENT, upstream=None, wal_source="archive", restores=True)
STOPPED = Status("node1:5432", role="standby", system_identifier="7", timeline=1)
TOLD_ANOTHER = replace(STANDBY, upstream=Upstream("primary", 5433))
IN_FORCE = {"no_pending_restart": True, "no_pending_reload": True, "no_settings_errors": True}
AT_RISK = {"wal_status": "unreserved", "active": False}
BAD_LINE = ConfigError("/conf", 3, "work_mem", "setting could not be applied")


def _with(status, **changes):
    """The status with settings or its only standby or slot changed."""
    if "standby" in changes:
        return replace(status, standbys=(replace(NODE1, **changes["standby"]),))
    if "slot" in changes:
        return replace(status, slots=(replace(SLOT1, **changes["slot"]),))
    return replace(status, settings=replace(SETTINGS, **changes))


# state in -> codes out
TABLE = [
    ("primary, nothing expected", PRIMARY, {}, []),
    ("primary as expected", PRIMARY, {"role": "primary", "timeline": 1, "system_identifier": "7"}, []),
    ("standby, nothing expected, streams", STANDBY, {}, []),
    ("standby as expected", STANDBY, {"role": "standby", "max_lag_bytes": 0, "max_lag_seconds": 0}, []),
    ("wrong role, and nothing else then", STANDBY, {"role": "primary", "slots": ["x"]}, ["wrong_role"]),
    ("a primary follows nobody", PRIMARY, {"primary": {"host": "primary"}}, ["wrong_role"]),
    ("wrong role of a stopped node", STOPPED, {"role": "primary"}, ["wrong_role"]),
    ("stopped: only identity is looked at", STOPPED, {"slots": ["x"], "max_lag_bytes": 0}, []),
    ("nothing is known of the role", Status("x:1"), {"role": "primary", "timeline": 2}, []),
    ("wrong system and timeline", PRIMARY, {"system_identifier": "8", "timeline": 2}, ["wrong_system_identifier", "wrong_timeline"]),
    ("both standbys there", PRIMARY, {"standbys": ["node1", "node2"]}, []),
    ("standby missing", PRIMARY, {"standbys": ["node1", "node3"]}, ["standby_missing"]),
    ("every missing one is told", PRIMARY, {"standbys": ["node3", "node4"]}, ["standby_missing", "standby_missing"]),
    ("standby catches up", _with(PRIMARY, standby={"state": "catchup"}), {"standbys": ["node1"]}, ["not_streaming"]),
    ("catching up is enough", _with(PRIMARY, standby={"state": "catchup"}), {"standbys": ["node1"], "state": "catchup"}, []),
    ("streaming is better than catching up", PRIMARY, {"standbys": ["node1"], "state": "catchup"}, []),
    ("starting is not", _with(PRIMARY, standby={"state": "startup"}), {"standbys": ["node1"], "state": "catchup"}, ["not_streaming"]),
    ("any state", _with(PRIMARY, standby={"state": "startup"}), {"standbys": ["node1"], "state": "any"}, []),
    ("state may not be seen", _with(PRIMARY, standby={"state": None}), {"standbys": ["node1"]}, ["not_visible"]),
    (
        "a dead connection of a standby that is back does not count",
        replace(PRIMARY, standbys=(replace(NODE1, state="startup", replay_lsn=None, lag_bytes=None), NODE1)),
        {"standbys": ["node1"], "max_lag_bytes": 0},
        [],
    ),
    ("sync as expected", _with(PRIMARY, standby={"sync_state": "sync"}), {"standbys": ["node1"], "sync_state": "sync"}, []),
    ("not sync", PRIMARY, {"standbys": ["node1"], "sync_state": "sync"}, ["wrong_sync_state"]),
    ("not sync, of all connected ones", PRIMARY, {"sync_state": "quorum"}, ["wrong_sync_state", "wrong_sync_state"]),
    ("no standby named, none counted", PRIMARY, {"standbys": [], "sync_state": "sync"}, []),
    ("lag in bytes allowed", _with(PRIMARY, standby={"lag_bytes": 100}), {"max_lag_bytes": 100}, []),
    ("lag in bytes", _with(PRIMARY, standby={"lag_bytes": 101}), {"max_lag_bytes": 100}, ["lagging"]),
    ("lag in seconds", _with(PRIMARY, standby={"lag_bytes": 9, "lag_seconds": 1.5}), {"max_lag_seconds": 1}, ["lagging"]),
    ("lag in both", _with(PRIMARY, standby={"lag_bytes": 9, "lag_seconds": 2}), {"max_lag_seconds": 1, "max_lag_bytes": 8}, ["lagging", "lagging"]),
    ("lag in bytes unknown", _with(PRIMARY, standby={"lag_bytes": None}), {"max_lag_bytes": 100}, ["lagging"]),
    ("lag in seconds unknown, bytes behind", _with(PRIMARY, standby={"lag_bytes": 9, "lag_seconds": None}), {"max_lag_seconds": 1}, ["lagging"]),
    ("lag in seconds unknown, nothing behind", _with(PRIMARY, standby={"lag_seconds": None}), {"max_lag_seconds": 1}, []),
    ("replayed by all", PRIMARY, {"standbys": ["node1", "node2"], "replayed_lsn": "0/5000000"}, []),
    ("not replayed by one", _with(PRIMARY, standby={}), {"replayed_lsn": "0/5000001"}, ["not_replayed"]),
    ("replay position unknown", _with(PRIMARY, standby={"replay_lsn": None}), {"replayed_lsn": "0/1"}, ["not_replayed"]),
    ("high half decides, not the text", _with(PRIMARY, standby={"replay_lsn": "10/0"}), {"replayed_lsn": "9/0"}, []),
    ("no WAL receiver", SILENT, {}, ["no_wal_receiver"]),
    ("no WAL receiver, and none needed", SILENT, {"state": "any"}, []),
    ("WAL receiver waits", replace(STANDBY, wal_receiver=replace(RECEIVER, status="waiting")), {}, ["not_streaming"]),
    ("WAL receiver may not be seen", replace(STANDBY, wal_receiver=WalReceiver()), {}, ["not_visible"]),
    ("own lag in bytes", BEHIND, {"max_lag_bytes": 1}, ["lagging"]),
    ("own lag in seconds", BEHIND, {"max_lag_seconds": 9}, ["lagging"]),
    ("own replay", BEHIND, {"replayed_lsn": "0/5000000"}, ["not_replayed"]),
    ("own replay done", BEHIND, {"replayed_lsn": "0/4000000"}, []),
    ("paused is why", replace(BEHIND, replay_paused=True), {"max_lag_bytes": 1}, ["lagging", "replay_paused"]),
    ("paused but nothing to do", replace(STANDBY, replay_paused=True), {"max_lag_bytes": 0}, []),
    (
        "what the sender has told counts as lag",
        replace(STANDBY, wal_receiver=replace(RECEIVER, latest_end_lsn="0/6000000")),
        {"max_lag_bytes": 1},
        ["lagging"],
    ),
    ("follows the right one", STANDBY, {"primary": {"host": "primary", "port": 5432}}, []),
    ("follows the right one, any port", STANDBY, {"primary": {"host": "primary", "port": None}}, []),
    ("follows another host", STANDBY, {"primary": {"host": "node2", "port": None}}, ["wrong_primary"]),
    ("follows another port", STANDBY, {"primary": {"host": "primary", "port": 5433}}, ["wrong_primary"]),
    ("reads the archive, and is to stream", SHIPPED, {}, ["no_wal_receiver"]),
    ("reads the archive, as it is to do", SHIPPED, {"state": "archive"}, []),
    ("streams, and is to read the archive", STANDBY, {"state": "archive"}, ["not_from_archive"]),
    ("was told to read the archive, and still streams", replace(SHIPPED, wal_receiver=RECEIVER), {"state": "archive"}, ["not_from_archive"]),
    ("has no archive to read", replace(SHIPPED, wal_source=None, restores=False), {"state": "archive"}, ["not_from_archive"]),
    ("would follow the right one", SILENT, {"primary": {"host": "primary", "port": 5432}, "state": "any"}, []),
    ("told to follow another, not yet done", TOLD_ANOTHER, {"primary": {"host": "primary", "port": 5433}}, ["wrong_primary"]),
    ("follows nobody", replace(SILENT, upstream=None), {"primary": {"host": "p", "port": None}, "state": "any"}, ["wrong_primary"]),
    ("a standby's own standbys", replace(STANDBY, standbys=(NODE2,)), {"standbys": ["node2", "node3"]}, ["standby_missing"]),
    ("slot there", PRIMARY, {"slots": ["node1_slot"]}, []),
    ("slot missing", PRIMARY, {"slots": ["node9_slot"]}, ["slot_missing"]),
    ("slot inactive", _with(PRIMARY, slot={"active": False}), {"slots": ["node1_slot"]}, ["slot_inactive"]),
    ("slot lost, said once", _with(PRIMARY, slot={"active": False, "wal_status": "lost"}), {"slots": ["node1_slot"]}, ["slot_lost"]),
    ("slot invalidated", _with(PRIMARY, slot={"invalidation_reason": "idle_timeout"}), {"slots": ["node1_slot"]}, ["slot_lost"]),
    ("slot at risk", _with(PRIMARY, slot={"wal_status": "unreserved"}), {"slots": ["node1_slot"]}, ["slot_at_risk"]),
    ("slot at risk and inactive", _with(PRIMARY, slot=AT_RISK), {"slots": ["node1_slot"]}, ["slot_at_risk", "slot_inactive"]),
    ("a lost slot that nobody expects", _with(PRIMARY, slot={"wal_status": "lost"}), {"standbys": ["node1"]}, []),
    ("settings in force", PRIMARY, IN_FORCE, []),
    ("restart pending", _with(PRIMARY, pending_restart=("port",)), {"no_pending_restart": True}, ["pending_restart"]),
    ("restart pending, nobody asks", _with(PRIMARY, pending_restart=("port",)), {}, []),
    ("reload pending", _with(PRIMARY, reload_pending=True), {"no_pending_reload": True}, ["reload_pending"]),
    ("bad line", _with(PRIMARY, file_errors=(BAD_LINE,)), {"no_settings_errors": True}, ["settings_error"]),
    ("bad hba line", _with(PRIMARY, hba_errors=(BAD_LINE,)), {"no_settings_errors": True}, ["hba_error"]),
    ("nothing of the files may be seen", replace(PRIMARY, settings=Settings()), IN_FORCE, ["not_visible"] * 4),
]  # fmt: skip


@pytest.mark.parametrize(("status", "expect", "codes"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_check(status, expect, codes):
    reasons = check(status, Expectations.from_params(expect))
    assert [each.code for each in reasons] == codes
    for each in reasons:
        assert status.address in each.message
        assert each.message.endswith(".")
        assert each.remedy


WELL = [
    ("primary", PRIMARY, []),
    ("standby", STANDBY, []),
    ("a stopped node has its trouble elsewhere", STOPPED, []),
    ("a standby catches up", _with(PRIMARY, standby={"state": "catchup"}), ["not_streaming"]),
    ("a standby's state may not be seen", _with(PRIMARY, standby={"state": None}), []),
    ("an abandoned slot", _with(PRIMARY, slot={"active": False}), ["slot_inactive"]),
    ("a lost slot", _with(PRIMARY, slot={"wal_status": "lost"}), ["slot_lost"]),
    ("a slot synchronized from the primary waits", _with(STANDBY, slot={"active": False, "synced": True}), []),
    ("nothing received", SILENT, ["no_wal_receiver"]),
    ("reads the archive only", SHIPPED, []),
    ("follows nobody, and has no archive", replace(SHIPPED, wal_source=None, restores=False), ["no_wal_receiver"]),
    ("a receiver that connects", replace(SILENT, connecting=Connecting(7, 59.0)), ["not_streaming"]),
    ("a receiver that hangs", replace(SILENT, connecting=Connecting(7, 61.0)), ["receiver_stuck"]),
    ("paused", replace(STANDBY, replay_paused=True), ["replay_paused"]),
    ("an archive that nobody fills", replace(PRIMARY, archiver=Archiver(mode="on", nowhere=True)), ["archive_nowhere"]),
    ("a role that could not log in again", replace(PRIMARY, barred_roles={"replicator": "NOLOGIN"}), ["role_barred"]),
    ("files not in force", _with(PRIMARY, pending_restart=("port",), reload_pending=True), ["pending_restart", "reload_pending"]),
    ("bad lines", _with(PRIMARY, file_errors=(BAD_LINE,), hba_errors=(BAD_LINE,)), ["settings_error", "hba_error"]),
    ("overridden", _with(PRIMARY, overridden=(Overridden("work_mem", "4MB", "5MB", "/x.conf", 3, "Reset."),)), ["setting_overridden"]),
    ("damaged pages", replace(PRIMARY, checksums=Checksums(True, 2)), ["checksum_failures"]),
    ("archiving hangs", replace(PRIMARY, archiver=Archiver("on", failing=False, waiting=2, oldest_waiting_seconds=90.0)), ["archive_stuck"]),
    ("archiving fails", replace(PRIMARY, archiver=Archiver("on", failing=True)), ["archive_failing"]),
    ("no WAL sender left", replace(PRIMARY, max_wal_senders=2, free_wal_senders=0), ["no_free_wal_sender"]),
    ("nothing may be seen", replace(PRIMARY, settings=Settings()), []),
]  # fmt: skip


@pytest.mark.parametrize(("status", "codes"), [row[1:] for row in WELL], ids=[row[0] for row in WELL])
def test_findings(status, codes):
    assert [each.code for each in findings(status)] == codes


def test_messages_tell_what_was_found_and_expected():
    (lag,) = check(_with(PRIMARY, standby={"lag_bytes": 16777217}), Expectations(max_lag_bytes=16777216))
    assert lag.message == "Standby 'node1' of primary:5432 is 16777217 bytes behind; 16777216 are allowed."
    assert lag.as_result() == {
        "code": "lagging",
        "message": lag.message,
        "remedy": REMEDIES["lagging"],
        "found": 16777217,
        "expected": 16777216,
        "standby": "node1",
    }
    (other,) = check(STANDBY, Expectations(primary={"host": "node2", "port": 5433}))
    assert other.message == "node1:5432 follows primary (port 5432), not node2:5433."
    (line,) = check(_with(PRIMARY, file_errors=(BAD_LINE,)), Expectations(no_settings_errors=True))
    assert line.message == "primary:5432 cannot use line 3 of /conf (work_mem): setting could not be applied."


def test_an_expected_position_must_be_one():
    with pytest.raises(InvalidInput, match="'soon' is not an LSN"):
        Expectations(replayed_lsn="soon")


def test_reasons_are_said_once():
    once = reason("lagging", "a")
    assert unique([once, reason("lagging", "b"), reason("lagging", "a")]) == (once, reason("lagging", "b"))


def test_result_has_every_key_whatever_the_node_is():
    stopped, standby = STOPPED.as_result(), STANDBY.as_result()
    assert list(stopped) == list(standby)
    assert PRIMARY.as_result()["slots"] == [SLOT1.as_result()]
    assert PRIMARY.as_result()["slots"][0]["lost"] is False


@pytest.mark.parametrize(
    ("conninfo", "slot", "expected"),
    [
        pytest.param({}, "", None, id="nobody"),
        pytest.param({"host": "h"}, "", Upstream("h", 5432), id="default port"),
        pytest.param({"hostaddr": "10.0.0.1", "port": "5441"}, "s", Upstream("10.0.0.1", 5441, "s"), id="address"),
        pytest.param({"host": "a,b", "port": "1,2"}, None, Upstream("a,b", 1), id="several hosts"),
        pytest.param(
            {"host": "h", "user": "r", "password": "secret", "application_name": "n"},
            None,
            Upstream("h", 5432, None, "n", "r"),
            id="the password stays behind",
        ),
    ],
)
def test_upstream(conninfo, slot, expected):
    assert upstream_of(conninfo, slot) == expected


def test_wrong_values_are_told_from_values_that_need_a_restart():
    restart = ConfigError("/conf", 1, "Shared_Buffers", "setting could not be applied")
    unknown = ConfigError("/conf", 2, "shared_buffers", "unrecognized configuration parameter")
    assert real_file_errors([restart, BAD_LINE, unknown], ["shared_buffers"]) == (BAD_LINE, unknown)


def test_timeline_of_wal_file():
    assert timeline_of_wal_file("0000000A0000000100000002") == 10


def test_every_code_is_explained():
    explained = set(re.findall(r"^\| `([a-z_]+)` \|", CODES.read_text(), re.MULTILINE))
    known = set(REMEDIES) | {code for _words, code, _remedy in REFUSALS} | {"login_refused"}
    assert known - explained == set()


def test_every_code_that_is_used_has_a_remedy():
    text = "".join(path.read_text() for path in (PLUGINS / "module_utils").rglob("*.py"))
    used = set(re.findall(r'\breason\(\s*"([a-z_]+)"', text))
    assert used - set(REMEDIES) == set()
    assert used
