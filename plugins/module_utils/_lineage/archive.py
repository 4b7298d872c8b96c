# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The archive that a stopped server would read from: what its restore_command finds (manual: Archive Recovery)."""

from __future__ import annotations

import os
import re
import tempfile

from .._datadir.facts import DataDir
from .._datadir.process import run_guarded
from .plan import segment_name

#: From this version on, pg_rewind finds a configuration that is not in the data directory.
_CONFIG_FILE_SINCE = 15


class ServerArchive:
    """What the settings of a data directory say of an archive."""

    def __init__(self, dest: DataDir, bin_dir: str, config_file: str | None) -> None:
        self.dest = dest
        self.bin_dir = bin_dir
        self.config_file = config_file
        self.command = _restore_command(dest, bin_dir, config_file)

    @property
    def serves_rewind(self) -> bool:
        """Whether pg_rewind can read from it, too."""
        return bool(self.command) and (not self.config_file or int(self.dest.pg_version or 0) >= _CONFIG_FILE_SINCE)

    @property
    def rewind_options(self) -> list[str]:
        """What makes pg_rewind fetch WAL that the directory has no more."""
        found = [f"--config-file={self.config_file}"] if self.config_file else []
        return ["--restore-target-wal", *found] if self.serves_rewind else []

    def has(self, timeline: int, position: int) -> bool:
        """Whether it has the segment of a position."""
        if not self.command:
            return False
        with tempfile.TemporaryDirectory(prefix="pgfleet-archive-") as folder:
            path = os.path.join(folder, "segment")
            name = segment_name(timeline, position, self.dest.wal_segment_bytes)
            words = {"%f": name, "%p": path, "%r": name, "%%": "%"}
            command = re.sub("%[fpr%]", lambda found: words[found[0]], self.command)
            return run_guarded(["/bin/sh", "-c", command])[0] == 0 and os.path.exists(path)


def _restore_command(dest: DataDir, bin_dir: str, config_file: str | None) -> str:
    words = [os.path.join(bin_dir, "postgres"), "-C", "restore_command", "-D", dest.path]
    words += ["-c", f"config_file={config_file}"] if config_file else []
    status, said = run_guarded(words)
    return "" if status else said.strip()
