# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Try whether a server would start, without touching it.

A second postmaster starts with the same configuration, control file and library path in a directory of its own and on a port
of its own. It comes as far as its startup process, which has nothing to recover and ends it: by then PostgreSQL has read and
checked every setting together with the others, loaded the libraries, TLS files and pg_hba.conf, mapped its memory and
listened on its addresses. ``postgres -C`` ends before all of that.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .._postgres.words import is_about_memory, reason_of

_SECONDS = 60
_REACHED = "\npgfleet-rehearsal:startup: "
_DIRECTORIES = (
    "base", "global", "pg_commit_ts", "pg_dynshmem", "pg_logical/mappings", "pg_logical/snapshots", "pg_multixact/members",
    "pg_multixact/offsets", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans",
    "pg_tblspc", "pg_twophase", "pg_wal/archive_status", "pg_wal/summaries", "pg_xact",
)  # fmt: skip
#: What a setting may name relative to the data directory.
_BESIDE = (".conf", ".crt", ".key", ".pem", ".crl")
_NOT_COPIED = shutil.ignore_patterns("*pgpass*", "*.previous", "start.conf", "pg_ctl.conf", ".*")


@dataclass(frozen=True)
class Place:
    """A server on this machine: its programs, data and main configuration file."""

    bin_dir: str
    data_directory: str
    config_file: str

    @property
    def initialised(self) -> bool:
        return os.path.exists(os.path.join(self.data_directory, "global/pg_control"))


@dataclass(frozen=True)
class Rehearsal:
    """``reason``: why it would not start, in the server's own words; empty when it would, or when nobody can tell."""

    reason: str = ""

    @property
    def about_memory(self) -> bool:
        return is_about_memory(self.reason)


def rehearse(place: Place, files: Mapping[str, str], given: Mapping[str, str] | None = None) -> Rehearsal:
    """Start it with these texts in the place of files below its configuration directory; as the owner of the data.

    ``given``: settings of the command line, which win over those of files.
    """
    with tempfile.TemporaryDirectory(prefix="pgfleet-rehearsal-") as folder:
        data, etc = os.path.join(folder, "data"), os.path.join(folder, "etc")
        _make_data(place, data)
        _copy_configuration(place, etc, files)
        words = _start(place, data, os.path.join(etc, os.path.basename(place.config_file)), given or {})
    words = words.replace(etc, os.path.dirname(place.config_file)).replace(data, place.data_directory)
    if _REACHED in f"\n{words}" or not words:
        return Rehearsal()
    return Rehearsal(reason_of(words.replace("pgfleet-rehearsal:", "")) or "it ended without a word")


def _make_data(place: Place, data: str) -> None:
    """The data directory of the rehearsal: nothing in it but what a start looks at before it recovers."""
    os.mkdir(data, 0o700)
    for name in _DIRECTORIES:
        os.makedirs(os.path.join(data, name), 0o700)
    for name in ("PG_VERSION", "global/pg_control"):
        shutil.copy(os.path.join(place.data_directory, name), os.path.join(data, name))
    for name in os.listdir(place.data_directory):
        if name.endswith(_BESIDE):
            os.symlink(os.path.join(place.data_directory, name), os.path.join(data, name))
    with open(os.path.join(data, "recovery.signal"), "w", encoding="utf-8"):
        pass


def _copy_configuration(place: Place, etc: str, files: Mapping[str, str]) -> None:
    directory = os.path.dirname(place.config_file)
    shutil.copytree(directory, etc, ignore=_NOT_COPIED, ignore_dangling_symlinks=True)
    for path, text in files.items():
        draft = os.path.join(etc, os.path.relpath(path, directory))
        os.makedirs(os.path.dirname(draft), 0o700, exist_ok=True)
        with open(draft, "w", encoding="utf-8") as stream:
            stream.write(text)


def _start(place: Place, data: str, config_file: str, given: Mapping[str, str]) -> str:
    """What the server says until it has ended; nothing when it takes too long, which proves nothing."""
    with _free_port() as port:
        own = {
            **given,
            "config_file": config_file,
            "data_directory": data,
            "external_pid_file": os.path.join(data, "external.pid"),
            "port": str(port),
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_min_messages": "warning",
            "log_line_prefix": "pgfleet-rehearsal:%b: ",
            "lc_messages": "C",
            "restore_command": "",  # with recovery.signal this is what ends it, in its startup process
            "fsync": "off",
        }
        command = [os.path.join(place.bin_dir, "postgres"), "-D", data]
        command += [word for name, value in own.items() for word in ("-c", f"{name}={value}")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NOTIFY_"))}
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd=data,
                env=environment, timeout=_SECONDS, preexec_fn=_no_core, encoding="utf-8", errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ""
    return done.stdout


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def _free_port() -> Iterator[int]:
    """A port that nobody listens on; two at once do not get the same one soon after each other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    yield port
