# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the console of a booting machine says about it. No I/O."""

from __future__ import annotations

import re

# Escape sequences of terminals, and control characters beside the line feed.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*\x07?|\x1b[()][0-9A-B]|\x1b[=>78cDEHM]|[\x00-\x08\x0b-\x1f\x7f]"
)
# By cloud-init itself, by the unit of its last stage where its own output goes to a file, or by systemd.
_FINISHED = re.compile(
    r"Cloud-init v\. \S+ finished at|Completed socket interaction for boot stage final"
    r"|Reached target .*cloud-init\.target",
    re.IGNORECASE,
)
_DEAD = {
    re.compile(r"Kernel panic - not syncing.*"): "its kernel panicked",
    re.compile(r"ALERT!.* does not exist\..*"): "it does not find its root file system",
    re.compile(r"^initrd: .* cannot be mounted"): "it does not find its root file system",
    re.compile(r"^\(initramfs\)"): "it does not find its root file system",
    re.compile(r"Failed to start .*cloud-(init|config|final)"): "cloud-init failed",
    re.compile(r"You are in emergency mode.*"): "systemd went into emergency mode",
    re.compile(r"No bootable device.*"): "its disk does not boot",
}
_MEGABYTE = 1024 * 1024


def plain(text: str) -> str:
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


def has_finished(text: str) -> bool:
    """Whether cloud-init has said that it is done."""
    return bool(_FINISHED.search(plain(text)))


def death(text: str) -> str:
    """Why the machine will never be ready; empty as long as it may become so."""
    for line in plain(text).splitlines():
        for words, meaning in _DEAD.items():
            if words.search(line):
                return meaning
    return ""


def tail(text: str, lines: int = 30) -> str:
    """The last lines for a message."""
    return "\n".join([line.rstrip() for line in plain(text[-_MEGABYTE:]).splitlines() if line.strip()][-lines:])
