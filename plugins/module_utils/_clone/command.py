# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Run pg_basebackup and pg_verifybackup, and say in codes what stopped them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._datadir.facts import INCOMING
from .._datadir.owner import nearest_directory
from .._datadir.process import guarded, run_guarded
from .._errors import InvalidInput, MissingFeature, PgFleetError
from .._lsn import format_lsn, parse_lsn
from .._postgres.connection import explain_refusal
from .._postgres.passfile import passing
from .._postgres.recovery import make_conninfo
from .._postgres.replication import slot_refused

#: Room for the WAL that comes with a clone: two segments.
WAL_RESERVE = 32 * 1024 * 1024
_PROGRESS = re.compile(r"^\s*(\d+)/(\d+) kB \(\d+%\), \d+/\d+ tablespaces?")
_WAL_RANGE = re.compile(r'"Timeline": (\d+), "Start-LSN": "([^"]+)", "End-LSN": "([^"]+)"')
_COMPRESSION = re.compile(r"^(none|server-(gzip|lz4|zstd)(:\S+)?)$")
_RATE = re.compile(r"^\d+[kM]?$")
_TAIL_BYTES = 16384
#: What pg_basebackup says when something here, not the server, is in its way: words, code, remedy.
_FAILURES = (
    (r"No space left on device", "not_enough_space", "Free space, or give a data_directory on a larger file system."),
    (r"exists but is not empty", "not_empty", "Empty it, or map it elsewhere with tablespace_mapping."),
    (r"could not (create|access|open|write).*Permission denied", "not_permitted", "Run as a user who may write there."),
    (r"checksum verification failed|checksum error", "source_corrupt", "The source has damaged pages: see its log."),
)


class CloneFailed(PgFleetError):
    """pg_basebackup or pg_verifybackup failed."""

    code = "clone_failed"


@dataclass(frozen=True)
class CopyOptions:
    """How to copy. ``tablespaces`` maps directories of the source to their final places here."""

    bin_dir: str
    conninfo: Mapping[str, str]
    address: str
    password_line: str = ""
    slot: str = ""
    checkpoint: str = "fast"
    wal_method: str = "stream"
    max_rate: str = ""
    compression: str = ""
    manifest_checksums: str = "CRC32C"
    wal_dir: str = ""
    tablespaces: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.compression and not _COMPRESSION.match(self.compression):
            raise InvalidInput(
                f"compression '{self.compression}' cannot be used for a data directory.",
                "Give none, server-gzip, server-lz4 or server-zstd, with ':level' if wanted; what is compressed on the"
                " client would stay compressed on the disk.",
            )
        if self.max_rate and not _RATE.match(self.max_rate):
            raise InvalidInput(f"'{self.max_rate}' is not a transfer rate.", "Write it like '50M' or '512k'.")

    def require_features(self, major: int) -> None:
        if self.compression not in ("", "none") and major < 15:
            raise MissingFeature(
                f"Compression by the server needs PostgreSQL 15 or newer, but {self.address} runs {major}.",
                "Leave compression out.",
                needed=15,
                found=major,
            )


@dataclass(frozen=True)
class Copied:
    """Measures of a finished copy."""

    bytes: int
    seconds: float
    timeline: int
    start_lsn: str
    end_lsn: str

    def as_result(self) -> dict[str, Any]:
        return {
            "bytes": self.bytes,
            "seconds": round(self.seconds, 2),
            "mb_per_s": round(self.bytes / 1e6 / max(self.seconds, 0.001), 1),
            "timeline": self.timeline,
            "start_lsn": self.start_lsn,
            "end_lsn": self.end_lsn,
        }


def copy_command(options: CopyOptions, incoming: str) -> list[str]:
    """The command line of pg_basebackup; no secret is in it."""
    words = [
        os.path.join(options.bin_dir, "pg_basebackup"),
        f"--pgdata={incoming}",
        f"--dbname={make_conninfo(options.conninfo)}",
        f"--checkpoint={options.checkpoint}",
        f"--wal-method={options.wal_method}",
        f"--manifest-checksums={options.manifest_checksums}",
        "--no-password",
        "--progress",
        "--verbose",
    ]
    words += [f"--slot={options.slot}"] if options.slot and options.wal_method == "stream" else []
    words += [f"--max-rate={options.max_rate}"] if options.max_rate else []
    words += [f"--compress={options.compression}"] if options.compression else []
    words += [f"--waldir={options.wal_dir}{INCOMING}"] if options.wal_dir else []
    return words + [
        f"--tablespace-mapping={_mapped(old)}={_mapped(new + INCOMING)}" for old, new in options.tablespaces.items()
    ]


def _mapped(path: str) -> str:
    return path.replace("=", "\\=")


def copy(options: CopyOptions, incoming: str, room: int) -> Copied:
    """Clone the server into ``incoming``; given up at once when it turns out not to fit into ``room`` bytes."""
    began = time.monotonic()
    copied, said = 0, []
    with passing(options.password_line) as (environment, files):
        command = copy_command(options, incoming)
        with guarded(command, environment, files) as process:
            for line in process.stdout or ():
                if found := _PROGRESS.match(line):
                    copied = int(found.group(1)) * 1024
                    refuse_too_large(int(found.group(2)) * 1024, room, incoming)
                else:
                    said.append(line.strip())
            status = process.wait()
    if status:
        raise copy_failure(options, said, room)
    return _measure(incoming, copied, time.monotonic() - began)


def refuse_too_large(size: int, room: int, where: str) -> None:
    """Raise when the files of the source, and a little WAL, do not fit."""
    needed = size + WAL_RESERVE
    if needed > room:
        raise CloneFailed(
            f"The clone needs {_megabytes(needed)}, but only {_megabytes(room)} are free for '{where}'.",
            "Free space, or give a data_directory on a larger file system.",
            "not_enough_space",
            needed_bytes=needed,
            free_bytes=room,
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def free_bytes(paths: Iterable[str]) -> int:
    """Free space of the file systems that these paths are, or will be, on."""
    spaces = {}
    for path in paths:
        there = nearest_directory(path)
        found = os.statvfs(there)
        spaces[os.stat(there).st_dev] = found.f_bavail * found.f_frsize
    return sum(spaces.values())


def copy_failure(options: CopyOptions, said: Sequence[str], room: int) -> PgFleetError:
    errors = [line for line in said if re.search(r"error:|fatal:|FATAL|detail:|hint:", line)] or list(said[-3:])
    words = " ".join(" ".join(errors).split())
    for pattern, code, remedy in _FAILURES:
        if re.search(pattern, words):
            return CloneFailed(f"pg_basebackup failed: {words}", remedy, code, free_bytes=room)
    if options.slot and (refused := slot_refused(options.slot, options.address, words)):
        return refused
    code, remedy = explain_refusal(words)
    if code == "login_refused":
        code, remedy = "clone_failed", "Its own words say why; see also the log of the source."
    return CloneFailed(f"pg_basebackup failed: {words}", remedy, code, address=options.address)


def _measure(incoming: str, copied: int, seconds: float) -> Copied:
    ranges = [
        (int(timeline), parse_lsn(start), parse_lsn(end))
        for timeline, start, end in _WAL_RANGE.findall(_tail(incoming))
    ]
    if not ranges:
        raise CloneFailed(f"The manifest in '{incoming}' names no WAL.", "Run again.", "verification_failed")
    timelines, starts, ends = zip(*ranges)
    return Copied(copied, seconds, max(timelines), format_lsn(min(starts)), format_lsn(max(ends)))


def _tail(incoming: str) -> str:
    """The end of the manifest, where the WAL is named; the whole may have millions of lines."""
    with open(os.path.join(incoming, "backup_manifest"), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")


def verify(bin_dir: str, incoming: str, parse_wal: bool) -> float:
    """Check every file of a clone against its manifest, and that its WAL can be read; returns the seconds it took."""
    began = time.monotonic()
    words = [os.path.join(bin_dir, "pg_verifybackup"), "--quiet", "--exit-on-error"]
    words += [] if parse_wal else ["--no-parse-wal"]
    status, said = run_guarded([*words, incoming])
    if status:
        raise CloneFailed(
            f"The clone in '{incoming}' is not what its source sent: {' '.join(said.split())}",
            "Run again; if it stays so, check the disk and memory of this machine.",
            "verification_failed",
        )
    return round(time.monotonic() - began, 2)
