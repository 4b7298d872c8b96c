# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read and write small files."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import subprocess
import tempfile

from .._errors import PgFleetError
from .files import FoundFile, WantedFile, digest_of
from .machine import owner_name


class FileRefused(PgFleetError):
    """The content of a file is not accepted by its own check."""

    code = "invalid_file"


def user_called(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise PgFleetError(
            f"This machine has no user '{name}'.", "Install PostgreSQL first, or give another owner.", "no_such_user"
        ) from error


def look(path: str) -> FoundFile:
    """What lies at a path; a link or a directory is found, and is never like a file that is wanted."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return FoundFile()
    content = b""
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            content = file.read()
    owner, mode = owner_name(status.st_uid), f"{stat.S_IMODE(status.st_mode):04o}"
    digest = digest_of(content) if stat.S_ISREG(status.st_mode) else "not a regular file"
    return FoundFile(digest, owner, mode, content.decode(errors="replace"))


def fingerprint(path: str) -> dict[str, str]:
    """Content, owner and mode of a file, as much as tells whether it is as it should be; nothing of one that cannot be read."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            digest = hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return {}
    return {"sha256": digest, "owner": owner_name(found.st_uid), "mode": f"{stat.S_IMODE(found.st_mode):04o}"}


def validate(file: WantedFile) -> None:
    """Let the file's own command judge the new content."""
    if not file.validate:
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as draft:
        draft.write(file.text)
        draft.flush()
        command = [word.replace("%s", draft.name) for word in file.validate]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = " ".join(done.stderr.replace(draft.name, file.path).split())
        raise FileRefused(f"The new content of '{file.path}' is not valid: {said}", "Nothing was written.")


def make_directory(path: str, user: pwd.struct_passwd, mode: str = "0755") -> None:
    """Make a directory and the missing ones above it."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_directory(parent, user, mode)
    os.mkdir(path, 0o755)
    os.chmod(path, int(mode, 8))
    os.chown(path, user.pw_uid, user.pw_gid)


def write(file: WantedFile, user: pwd.struct_passwd) -> None:
    """Write a file beside its place and rename it."""
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(file.path), prefix=f".{os.path.basename(file.path)}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(file.text)
            os.fchown(stream.fileno(), user.pw_uid, user.pw_gid)
            os.fchmod(stream.fileno(), int(file.mode, 8))
        os.rename(draft, file.path)
    except BaseException:
        os.unlink(draft)
        raise
