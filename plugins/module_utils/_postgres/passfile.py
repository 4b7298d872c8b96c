# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Passwords for libpq: in the standby's password file, or in a file that only exists while it is open."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .._errors import PgFleetError
from .._host.atomic import make_parents, write_file

#: What clients before PostgreSQL 14 take.
LONGEST_PASSWORD = 1024
_FIELD = re.compile(r"((?:[^\\:]|\\.)*)(?::|$)")


class PassfileUnusable(PgFleetError):
    """libpq would ignore the password file."""

    code = "passfile_unusable"


class PasswordUnusable(PgFleetError):
    """A password or a role's name cannot be used for replication."""

    code = "password_unusable"


def check_password(password: str) -> None:
    """Refuse what no password file can hold. The message never has the password."""
    if not password:
        raise PasswordUnusable(
            "The replication password is empty, and no server accepts an empty one.", "Give another one."
        )
    if any(char in password for char in "\n\r\0"):
        raise PasswordUnusable(
            "The replication password has a line break or a null character, which no password file can hold.",
            "Give another one; in YAML, '|' and '>' add a line break at the end.",
        )
    if len(password.encode(errors="replace")) > LONGEST_PASSWORD:
        raise PasswordUnusable(
            f"The replication password has more than {LONGEST_PASSWORD} bytes.", "Give a shorter one."
        )


def passfile_line(host: str, port: int, user: str, password: str, database: str = "*") -> str:
    """A line of a password file; by itself it serves replication and every database."""
    return ":".join([_escaped(host), str(port), database, _escaped(user), _escaped(password)])


def passfile_text(servers: Iterable[tuple[str, int]], user: str, password: str) -> str:
    """The file of a node: for replication from every server of its fleet."""
    return "".join(passfile_line(host, port, user, password, "replication") + "\n" for host, port in servers)


def _escaped(field: str) -> str:
    return field.replace("\\", "\\\\").replace(":", "\\:")


def _fields(line: str) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", field) for field in _FIELD.findall(line)][:5]


def find_password(text: str, host: str, port: int, user: str) -> str | None:
    """What libpq would find for a replication connection: the first line that matches counts."""
    for line in text.split("\n"):
        fields = _fields(line)
        if line.startswith("#") or len(fields) < 5:
            continue
        wanted = (host, str(port), "replication", user)
        if all(field in ("*", want) for field, want in zip(fields, wanted)):
            return fields[4]
    return None


def with_password(text: str, host: str, port: int, user: str, password: str) -> str:
    """The text with the password in it; unchanged when libpq finds that one already."""
    if find_password(text, host, port, user) == password:
        return text
    stale = (host, str(port), user)
    lines = [line for line in text.split("\n") if line and _address(line) != stale]
    return "\n".join([passfile_line(host, port, user, password), *lines]) + "\n"


def _address(line: str) -> tuple[str, ...]:
    fields = _fields(line)
    return () if line.startswith("#") or len(fields) < 5 else (fields[0], fields[1], fields[3])


def read_passfile(path: str) -> str:
    """The text of a password file, empty when there is none yet."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def check_passfile(path: str) -> None:
    """Refuse a password file that libpq would ignore, before a server refuses the login."""
    if not os.path.isfile(path):
        raise PassfileUnusable(
            f"There is no password file '{path}'.", "Make it, or give login_password too.", "passfile_missing"
        )
    if os.stat(path).st_mode & 0o077:
        raise PassfileUnusable(
            f"Others may read the password file '{path}', so libpq ignores it.",
            "Set its mode to 0600.",
            "passfile_mode",
        )


def save_passfile(path: str, text: str) -> None:
    """Write a password file for the owner alone."""
    make_parents(path)
    write_file(path, text)


@contextmanager
def passing(line: str) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """Environment and open files of a program that finds this line as its password file.

    The file lies in memory and has no name: nobody else can open it, and no kill leaves it behind.
    """
    if not line:
        yield {}, ()
        return
    file = os.memfd_create("pgfleet-passfile")
    try:
        os.fchmod(file, 0o600)
        os.write(file, line.encode() + b"\n")
        yield {"PGPASSFILE": f"/proc/self/fd/{file}"}, (file,)
    finally:
        os.close(file)
