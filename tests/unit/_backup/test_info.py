"""What pgBackRest 2.45 printed, as values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.names import WalFile
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.info import (
    newest_label,
    parse_info,
    parse_listing,
    parse_tablespaces,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.repository import RepositoryFailed
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._lsn import parse_lsn

SEGMENT = 16 << 20
INFO = """[{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":"000000010000000000000005","min":"000000010000000000000001"}],
"backup":[{"archive":{"start":"000000010000000000000002","stop":"000000010000000000000002"},"backrest":{"format":5,"version":"2.45"},
"database":{"id":1,"repo-key":1},"error":false,"info":{"delta":22992525,"repository":{"delta":2822404,"size":2822404},"size":22992525},
"label":"20261201-033453F","lsn":{"start":"0/2000028","stop":"0/2000100"},"prior":null,"reference":null,
"timestamp":{"start":1796096093,"stop":1796096095},"type":"full"},
{"archive":{"start":"000000010000000000000004","stop":"000000010000000000000005"},"backrest":{"format":5,"version":"2.45"},
"database":{"id":1,"repo-key":1},"error":true,"info":{"delta":1450250,"repository":{"delta":157136,"size":2826519},"size":23033485},
"label":"20261201-033453F_20261201-033456I","lsn":{"start":"0/4000028","stop":"0/5000050"},"prior":"20261201-033453F",
"reference":["20261201-033453F"],"timestamp":{"start":1796096096,"stop":1796096098},"type":"incr"}],"cipher":"none",
"db":[{"id":1,"repo-key":1,"system-id":7714173973246797810,"version":"15"}],"name":"s",
"repo":[{"cipher":"none","key":1,"status":{"code":0,"message":"ok"}}],
"status":{"code":0,"lock":{"backup":{"held":false}},"message":"ok"}}]"""
NOT_THERE = """[{"archive":[],"backup":[],"cipher":"none","db":[],"name":"s","repo":[{"cipher":"none","key":1,"status":{"code":1,
"message":"missing stanza path"}}],"status":{"code":1,"lock":{"backup":{"held":false}},"message":"missing stanza path"}}]"""
LISTING = """{".":{"type":"path"},"0000000100000000":{"type":"path"},
"0000000100000000/000000010000000000000001-52a2cf9b9bc03307bf4636ad8ee1607fd23ee3b6.zst":{"type":"file","size":1295719,"time":1796096094},
"0000000100000000/000000010000000000000002.00000028.backup":{"type":"file","size":371,"time":1796096095},
"0000000100000000/000000010000000000000003.partial-cb871b8e94c7451b1c201135e405bb2ee3ed7534.gz":{"type":"file","size":1,"time":1},
"0000000100000000/000000010000000000000004-53881265fcfab78492a7dd26900141fec78027bc":{"type":"file","size":745,"time":1796096097},
"00000002.history":{"type":"file","size":43,"time":1}}"""
WITH_SPACE = """[{"backup":[{"label":"20261201-033822F","link":null,"tablespace":[{"destination":"/tmp/ts","name":"x","oid":16391}]}],"name":"s"}]"""


def test_sets_and_owner() -> None:
    found = parse_info(INFO, "s")
    assert (found.system_identifier, found.version, found.archive_id) == ("7714173973246797810", "15", "15-1")
    full, incremental = found.sets
    assert (full.kind, full.parent, full.broken, full.timeline) == ("full", "", False, 1)
    assert (full.start_lsn, full.stop_lsn) == (parse_lsn("0/2000028"), parse_lsn("0/2000100"))
    assert (incremental.kind, incremental.parent, incremental.broken) == ("incr", full.label, True)
    assert (incremental.database_bytes, incremental.repository_bytes) == (23033485, 157136)
    assert newest_label([full], found.sets) == incremental.label


@pytest.mark.parametrize("text", [NOT_THERE, "[]"])
def test_no_stanza(text: str) -> None:
    assert not parse_info(text, "s").exists


def test_sets_of_an_older_cluster_are_left_out() -> None:
    """After stanza-upgrade, info lists what the cluster before the upgrade has left."""
    found: Any = json.loads(INFO)
    found[0]["db"].append({"id": 2, "repo-key": 1, "system-id": 42, "version": "16"})
    upgraded = parse_info(json.dumps(found), "s")
    assert (upgraded.system_identifier, upgraded.archive_id, upgraded.sets) == ("42", "16-2", ())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[PathOpenError] unable to list file info for path '/root/repo/backup': [13] Permission denied", "not_permitted"),
        ("[FormatError] unable to load info file '/r/backup/s/backup.info'\nFormatError: key/value found outside of section at", "repository_cipher"),
        ("something else", "repository_failed"),
    ],
)  # fmt: skip
def test_info_ends_well_and_cannot_read(message: str, code: str) -> None:
    found = json.loads(NOT_THERE)
    found[0]["repo"][0]["status"] = {"code": 99, "message": message}
    with pytest.raises(RepositoryFailed) as raised:
        parse_info(json.dumps(found), "s")
    assert raised.value.code == code


def test_listing() -> None:
    files, histories = parse_listing(LISTING, SEGMENT)
    assert files == {
        WalFile(1, 1),
        WalFile(1, 2, "backup"),
        WalFile(1, 3, "partial"),
        WalFile(1, 4),
        WalFile(2, 0, "history"),
    }
    assert histories == {2: "00000002.history"}


def test_tablespaces() -> None:
    assert parse_tablespaces(WITH_SPACE, "s") == {16391: "/tmp/ts"}
    assert parse_tablespaces("[]", "s") == {}


@pytest.mark.parametrize("call", [lambda: parse_info("WARN", "s"), lambda: newest_label([], [])])
def test_what_cannot_be_read(call: Any) -> None:
    with pytest.raises(PgFleetError):
        call()
