# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What pgbackrest info and repo-ls print as JSON, as values (its manual: Command Reference). No I/O."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._archive.names import WalFile, parse_wal_name
from .._lsn import parse_lsn
from .repository import RepositoryFailed
from .sets import BackupSet
from .words import explain, first_words

_OK, _MISSING, _NO_BACKUP = 0, (1, 3), 2
#: What pgBackRest puts behind the name of a segment: its checksum, and the suffix of the compression.
_STORED = re.compile(r"(-[0-9a-f]{40})?(\.(gz|lz4|zst|bz2))?$")


@dataclass(frozen=True)
class Stanza:
    """A stanza as its repository has it. ``archive_id``: the folder of the cluster's WAL; empty where there is no stanza."""

    system_identifier: str = ""
    version: str = ""
    archive_id: str = ""
    sets: tuple[BackupSet, ...] = ()

    @property
    def exists(self) -> bool:
        return bool(self.system_identifier)


def parse_info(text: str, stanza: str) -> Stanza:
    """The first repository's part of ``info --output=json``; raises where that says that it cannot be read."""
    found = next((each for each in _json(text, "info") if each.get("name") == stanza), None)
    if found is None:
        return Stanza()
    refuse_unreadable(found)
    databases = found.get("db") or []
    if not databases:
        return Stanza()
    systems = {each["id"]: each for each in databases}
    current = databases[-1]
    return Stanza(
        system_identifier=str(current["system-id"]),
        version=str(current["version"]),
        archive_id=f"{current['version']}-{current['id']}",
        sets=tuple(
            _set_of(each, systems[each["database"]["id"]])
            for each in found.get("backup") or []
            if each["database"]["id"] == current["id"]
        ),
    )


def refuse_unreadable(found: Mapping[str, Any]) -> None:
    """info ends well whatever it met: what was wrong stands in the status of the repository."""
    for repository in found.get("repo") or []:
        status = repository["status"]
        if status["code"] not in (_OK, _NO_BACKUP, *_MISSING):
            code, remedy = explain(status["message"])
            raise RepositoryFailed(f"pgbackrest info failed: {first_words(status['message'])}.", remedy, code)


def _set_of(found: Mapping[str, Any], database: Mapping[str, Any]) -> BackupSet:
    info, lsn = found["info"], found["lsn"]
    return BackupSet(
        label=found["label"],
        kind=found["type"],
        started=float(found["timestamp"]["start"]),
        stopped=float(found["timestamp"]["stop"]),
        start_lsn=parse_lsn(lsn["start"]),
        stop_lsn=parse_lsn(lsn["stop"]),
        timeline=int(found["archive"]["stop"][:8], 16),
        system_identifier=str(database["system-id"]),
        server_version=str(database["version"]),
        database_bytes=info["size"],
        repository_bytes=info["repository"]["delta"],
        parent=found.get("prior") or "",
        broken=bool(found.get("error")),
    )


def parse_tablespaces(text: str, stanza: str) -> dict[int, str]:
    """Object identifiers and directories of the tablespaces of a set, from ``info --set``."""
    found: Mapping[str, Any] = next((each for each in _json(text, "info") if each.get("name") == stanza), {})
    spaces = (found.get("backup") or [{}])[0].get("tablespace") or []
    return {int(space["oid"]): str(space["destination"]) for space in spaces}


def parse_listing(text: str, segment_bytes: int) -> tuple[frozenset[WalFile], dict[int, str]]:
    """The files of ``repo-ls --recurse`` below the folder of a cluster, and the paths of the histories by timeline."""
    files, histories = set(), {}
    for path, facts in _json(text, "repo-ls").items():
        file = parse_wal_name(_STORED.sub("", os.path.basename(path)), segment_bytes)
        if file is None or facts.get("type") != "file":
            continue
        files.add(file)
        if file.kind == "history":
            histories[file.timeline] = path
    return frozenset(files), histories


def newest_label(before: Sequence[BackupSet], after: Sequence[BackupSet]) -> str:
    """The label of the set that was taken between two lists."""
    known = {each.label for each in before}
    added = [each.label for each in after if each.label not in known]
    if not added:
        raise RepositoryFailed(
            "pgbackrest backup ended well, but info lists no new set.", "Run pgbackrest info to see why."
        )
    return added[-1]


def _json(text: str, verb: str) -> Any:
    try:
        return json.loads(text, strict=False)  # words about an encrypted file have whatever was in it
    except ValueError as error:
        raise RepositoryFailed(
            f"pgbackrest {verb} printed no JSON: {text[:200]!r}.", "Install pgBackRest 2.45 or newer."
        ) from error
