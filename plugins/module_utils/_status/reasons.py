# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Why a node is not as it should be: stable codes and their remedies. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

#: Every code of this module and what to do about it. docs/reason-codes.md explains each.
REMEDIES = {
    "not_running": "Start it, and read the end of its log when it does not stay up.",
    "starting_up": "Wait until recovery is done; its log tells how far it is.",
    "shutting_down": "Wait until it has stopped, then start it.",
    "hot_standby_off": "Set hot_standby to on and restart it.",
    "frozen": "Let it go on (kill -CONT), or see what its disk waits for; failover.yml stops a frozen primary by force.",
    "not_listening": "Wait a moment when it has just been started; otherwise set port and unix_socket_directories right and"
    " restart it.",
    "data_directory_missing": "Create the cluster (initdb) or clone it, or give the right data_directory.",
    "data_directory_invalid": "Give the right data_directory, or clone it again.",
    "wrong_role": "Promote it, or rebuild it as a standby; first find out which node is to be the primary.",
    "wrong_system_identifier": "Give the right address, or clone it from the primary of this cluster.",
    "wrong_timeline": "Find out which timeline is the cluster's, and rewind or clone the node that is not on it.",
    "wrong_primary": "Set primary_conninfo to the right server and reload.",
    "standby_missing": "Look at that standby: does it run, and does its application_name have this name?",
    "not_streaming": "Wait for it to catch up; when it does not, look at its log.",
    "wrong_sync_state": "Set synchronous_standby_names on the primary and reload.",
    "lagging": "Wait; when it does not shrink, look at the standby's load, its disk and the network.",
    "not_replayed": "Wait; when it does not come, look at lag and at paused replay.",
    "replay_paused": "Run SELECT pg_wal_replay_resume(); when it paused by itself, its log names the setting that is too low.",
    "role_barred": "site.yml makes the fleet's own role what it must be; by hand: ALTER ROLE.",
    "archive_nowhere": "Give archive_command or archive_library, or archive_mode: off (which needs a restart).",
    "slot_missing": "Create the slot (replication_slot).",
    "slot_inactive": "Start its standby and look whether primary_slot_name is right; drop the slot when it is not needed.",
    "slot_lost": "Clone its standby again and recreate the slot (replication_slot with on_lost: recreate).",
    "slot_at_risk": "Start or speed up its standby now, or raise max_slot_wal_keep_size, before the next checkpoints.",
    "no_wal_receiver": "Look at the reasons that come with this one, and at the standby's log.",
    "receiver_stuck": "site.yml ends it, and the server starts another; by hand: kill that process. It waits for a server that does not"
    " answer, or for a network that swallows packets.",
    "no_upstream": "Set primary_conninfo; or restore_command, where the standby is to read its WAL from an archive only.",
    "not_from_archive": "Empty primary_conninfo, set restore_command, and reload.",
    "catching_up_from_archive": "Wait: it streams again when the archive has no more for it. When its replay stands still, its log names the"
    " file that the archive does not have, and only a new clone helps.",
    "upstream_unreachable": "Start the upstream server; check host and port in primary_conninfo and what lies between.",
    "replication_login_refused": "The server's own words say why.",
    "replication_slot_missing": "Create the slot on the upstream server; WAL that it no longer has then means a new clone.",
    "slot_in_use": "Give each standby a slot of its own, or end the other user of this one.",
    "wal_removed": "Clone the standby again, or let it restore the missing WAL from an archive.",
    "timeline_diverged": "Rewind the standby (pg_rewind) or clone it again from the primary of this cluster.",
    "ahead_of_upstream": "Find out which of the two has the right data; rewind or clone the other.",
    "pending_restart": "Restart it; standbys first when max_connections and the like grow.",
    "reload_pending": "Reload it (SELECT pg_reload_conf()).",
    "settings_error": "Correct that line and reload.",
    "setting_overridden": "Take it out of that file (ALTER SYSTEM RESET for postgresql.auto.conf) and run site.",
    "hba_error": "Correct that line and reload; until then the old rules stay in force.",
    "unit_masked": "systemctl unmask it.",
    "disk_nearly_full": "Make room or enlarge it; never delete files of pg_wal.",
    "not_visible": "Log in as a superuser, or grant the role what it needs to see this.",
    "checksum_failures": "Its log names the damaged files; clone a standby again, restore a primary.",
    "archive_stuck": "End what archive_command waits for; what it could not archive is kept.",
    "archive_failing": "Its log has the words of archive_command; WAL piles up until it works.",
    "no_free_wal_sender": "Raise max_wal_senders (needs a restart) or stop a WAL sender that is not needed.",
}


@dataclass(frozen=True)
class Reason:
    """A stable code, a sentence and the remedy; ``facts`` are for programs."""

    code: str
    message: str
    remedy: str
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"

    def as_result(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "remedy": self.remedy, **self.facts}


def reason(code: str, message: str, remedy: str = "", **facts: Any) -> Reason:
    """A reason with the remedy of its code, unless there is a better one."""
    return Reason(code, message, remedy or REMEDIES[code], facts)


def unique(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Without those that say the same again."""
    return tuple({(each.code, each.message): each for each in reasons}.values())
