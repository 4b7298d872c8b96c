# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Reads what a machine has: files, packages, file systems."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from typing import Any

from .facts import installed_packages, missing, normal_locale


def read_text(path: str) -> str:
    """Content of a file; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def output_of(*command: str) -> list[str]:
    """Lines that a program prints; none where the program is not there."""
    if not shutil.which(command[0]):
        return []
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.splitlines()


def missing_packages(wanted: list[str]) -> list[str]:
    return missing(wanted, installed_packages(output_of("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}\n")))


def missing_locales(wanted: list[str]) -> list[str]:
    have = {normal_locale(name) for name in output_of("locale", "-a")}
    return [name for name in wanted if normal_locale(name) not in have]


def service_manager() -> str:
    return "systemd" if os.path.isdir("/run/systemd/system") else "none"


def filesystem_of(path: str) -> dict[str, Any]:
    """Size and free bytes of the file system that holds, or would hold, a path."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    usage = os.statvfs(path)
    return {
        "path": path,
        "total_bytes": usage.f_frsize * usage.f_blocks,
        "free_bytes": usage.f_frsize * usage.f_bavail,
    }


def owner_name(uid: int) -> str:
    """The name of a user, or the number where nobody has it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
