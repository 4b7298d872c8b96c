# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Backups and archive of fleets: one document for programs, one table for people. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

_COLUMNS = ("backup", "type", "taken", "size", "in the repository", "timeline")
_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_SPANS = (("days", 86400, 2), ("h", 3600, 2), ("min", 60, 2), ("s", 1, 1))


def backup_document(fleet: str, node: str, archive: Facts, backups: Facts) -> dict[str, Any]:
    """What wal_archive and backup_info said of one fleet. A finding of both is shown once."""
    findings: dict[tuple[str, str], Facts] = {}
    for finding in (*archive["findings"], *backups["findings"]):
        findings.setdefault((finding["code"], finding["message"]), finding)
    listed = list(findings.values())
    return {
        "fleet": fleet,
        "node": node,
        "sets": backups["sets"],
        "window": backups["window"],
        "windows": backups["windows"],
        "last": backups["last"],
        "repository": {**archive["repository"], "bytes": backups["repository_bytes"]},
        **{name: archive[name] for name in ("archive", "archiving", "disk", "gaps", "histories", "rpo")},
        "findings": listed,
        "summary": "All is well." if not listed else f"{len(listed)} finding{'s' if len(listed) > 1 else ''}.",
    }


def backup_tables(documents: Any) -> str:
    listed = [documents] if isinstance(documents, Mapping) else list(documents)
    return "\n\n".join(_table(each, len(listed) > 1) for each in listed)


def _table(document: Facts, named: bool) -> str:
    blocks = [
        f"fleet {document['fleet']}" if named else "",
        _sets(document["sets"]),
        "\n".join(_sentences(document)),
        "\n".join(_finding(each) for each in document["findings"]),
        document["summary"],
    ]
    return "\n\n".join(block for block in blocks if block)


def _sets(sets: Sequence[Facts]) -> str:
    if not sets:
        return ""
    rows = [_COLUMNS, tuple("-" * len(name) for name in _COLUMNS), *map(_row, sets)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    rows[1] = tuple("-" * width for width in widths)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _row(each: Facts) -> tuple[str, ...]:
    kept = size(each["repository_bytes"])
    kind = each["type"] + (" (broken)" if each["broken"] else "")
    return each["label"], kind, moment(each["stopped"]), size(each["database_bytes"]), kept, str(each["timeline"])


def _sentences(document: Facts) -> Iterable[str]:
    window = document["window"]
    for each in document["windows"]:
        if not each["open"]:
            yield f"A recovery can end between {moment(each['earliest'])} and {each['latest_lsn']}, where the archive has a gap."
    if window:
        yield f"A recovery can end at any moment from {moment(window['earliest'])} on."
    else:
        yield "No recovery can reach the present."
    rpo, archiving = document["rpo"], document["archiving"]
    if rpo and rpo["bytes"] is not None:
        seconds = "" if rpo["seconds"] is None else f", up to {span(rpo['seconds'])} of writes"
        yield f"With the archive alone, {size(rpo['bytes'])} of WAL would be lost{seconds}."
    if archiving["last_archived"]:
        ago = span(archiving["last_archived_seconds"] or 0)
        yield f"Archived last: {archiving['last_archived']}, {ago} ago. {archiving['ready_files']} files wait."
    disk = document["disk"]
    if disk and disk["hours_until_full"] is not None:
        yield f"The disk of {disk['path']} is full in {disk['hours_until_full']:.1f} h at the present rate."


def _finding(finding: Facts) -> str:
    return f"{finding['code']}: {finding['message']} {finding['remedy']}".strip()


def moment(text: str) -> str:
    """An ISO time without its fractions, as people read it."""
    return text.replace("T", " ").partition(".")[0].rstrip("Z") + " UTC"


def size(count: int) -> str:
    for unit, factor in _UNITS:
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def span(seconds: float) -> str:
    for unit, length, least in _SPANS:
        if seconds >= length * least:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
