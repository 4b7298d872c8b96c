# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a machine says about itself, as text to values. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .._errors import InvalidInput

#: Major versions of PostgreSQL that the collection builds fleets of.
OLDEST_MAJOR, NEWEST_MAJOR = 14, 18


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file, without their quotes."""
    return {
        name: value.strip("\"'")
        for name, _equals, value in (line.partition("=") for line in text.splitlines())
        if value
    }


def release_key(os_release: Mapping[str, str]) -> str:
    """How a table of systems names this one: ``debian-12``, ``ubuntu-24.04``."""
    return f"{os_release.get('ID', 'unknown')}-{os_release.get('VERSION_ID', 'rolling')}"


def choose_version(wanted: str, os_release: Mapping[str, str], releases: Mapping[str, int]) -> int:
    """The PostgreSQL major version for this system; ``distribution`` takes the one that it ships, 0 when unknown."""
    if wanted == "distribution":
        return releases.get(release_key(os_release), 0)
    if not (wanted.isascii() and wanted.isdigit() and OLDEST_MAJOR <= int(wanted) <= NEWEST_MAJOR):
        raise InvalidInput(
            f"pg_server_version is '{wanted}', which is no major version of PostgreSQL that this collection knows.",
            f"Give a number from {OLDEST_MAJOR} to {NEWEST_MAJOR}, or 'distribution'. Nothing was changed.",
            "version_invalid",
        )
    return int(wanted)


def require_absolute(option: str, path: str) -> None:
    """Refuse a path that means another place for each who reads it."""
    if not path.startswith("/") or path != path.strip() or "\n" in path or path.rstrip("/") == "":
        raise InvalidInput(
            f"pg_server_{option} is '{path}', which is not an absolute path below '/'.",
            "Write it in full, from '/' on; '~' and variables of a shell are not replaced. Nothing was changed.",
            "path_invalid",
        )


def expand(template: str, version: int, cluster: str) -> str:
    """Put version and cluster name where postgresql-common's own files have ``%v`` and ``%c``."""
    return template.replace("%v", str(version)).replace("%c", cluster)


def installed_packages(dpkg_lines: Iterable[str]) -> set[str]:
    """Names out of ``dpkg-query -W -f '${db:Status-Abbrev}${Package}\\n'``."""
    return {line[3:].strip() for line in dpkg_lines if line.startswith("ii")}


def normal_locale(name: str) -> str:
    """One spelling for ``en_US.UTF-8`` and ``en_US.utf8``."""
    language, _dot, charset = name.partition(".")
    return f"{language}.{re.sub('[^a-z0-9]', '', charset.lower())}"


def missing(wanted: Iterable[str], have: Iterable[str]) -> list[str]:
    """What is wanted and not there, in the order of the wish."""
    known = set(have)
    return [name for name in wanted if name not in known]
