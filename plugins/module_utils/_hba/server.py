# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Write a pg_hba.conf, let the running server judge it, and take it back when it refuses it.

A server judges the file in its place only (pg_hba_file_rules), so the old text lies beside it until the server has
judged. A run that is killed meanwhile leaves that note, and the next one knows by it what to take back.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .._errors import ConnectFailed, PgFleetError
from .._host.as_user import call_as
from .._postgres.local import local_session
from .file import WantedBlocks, lines_of, plan_text, read_text
from .rule import SECRET_OPTIONS, parse_line

NOTE = ".pgfleet-before"
_MODE = 0o640
_SECRETS = re.compile(rf"({'|'.join(SECRET_OPTIONS)})=(\"(?:[^\"]|\"\")*\"|\S+)")
#: The server says this of rules that it accepts.
_HARMLESS = "cannot match because"


class HbaRefused(PgFleetError):
    """The server cannot use the file."""

    code = "hba_refused"


@dataclass(frozen=True)
class Outcome:
    """The text before and after, and what the server said; ``validated`` is False where no server could be asked."""

    before: str
    after: str
    changed: bool
    validated: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HbaFile:
    """Where the file is, whose, and which server reads it."""

    path: str
    owner: str
    data_directory: str

    @property
    def place(self) -> str:
        return os.path.realpath(self.path)

    @property
    def note(self) -> str:
        return self.place + NOTE


def bring(file: HbaFile, wanted: WantedBlocks, check_mode: bool) -> Outcome:
    """Bring the file to the wanted text. Raises HbaRefused, with the old text back in its place."""
    text, note = _read(file.place), _read(file.note)
    new = plan_text(text or "", file.path, wanted)
    changed = new != text or not _is_ours(file)
    if check_mode or not (changed or note is not None):
        return Outcome(text or "", new, changed)
    before = _ask(file)
    if before is not None:
        _refuse_other_place(file, before["hba_file"])
    old = _text_to_restore(file, text, note, wanted)
    if before is not None:
        _write(file, file.note, old or "")
    _write(file, file.place, new)
    after = _ask(file) if before is not None else None
    warnings = _judge(file, new, old, after["errors"]) if after else ()
    _unlink(file.note)
    return Outcome(text or "", new, changed, after is not None, warnings)


def shown(text: str) -> str:
    """The text without passwords of directory services."""
    return _SECRETS.sub(r"\1=***", text)


def _is_ours(file: HbaFile) -> bool:
    status = os.stat(file.place)
    return status.st_uid == pwd.getpwnam(file.owner).pw_uid and stat.S_IMODE(status.st_mode) == _MODE


def _text_to_restore(file: HbaFile, text: str | None, note: str | None, wanted: WantedBlocks) -> str | None:
    """A killed run's note counts while nobody has changed the file behind it."""
    if note is None or text is None:
        return text
    untouched = plan_text(note, file.path, wanted) == text
    return note if untouched or read_text(note, file.path).foreign == read_text(text, file.path).foreign else text


def _ask(file: HbaFile) -> dict[str, Any] | None:
    """What the running server says of its file; None where none runs, or none that can be asked."""
    answer: dict[str, Any] | None = call_as(file.owner, lambda: _answer(file.data_directory))
    return answer


def _answer(data_directory: str) -> dict[str, Any] | None:
    try:
        with local_session(data_directory) as server:
            here = " WHERE file_name = current_setting('hba_file')" if server.major >= 16 else ""
            server.rows("SET lc_messages = 'C'")
            return {
                "hba_file": server.row("SELECT current_setting('hba_file') AS path")["path"],
                "errors": server.rows(
                    f"SELECT line_number AS line, error FROM (SELECT * FROM pg_hba_file_rules{here}) AS rule"
                    " WHERE error IS NOT NULL ORDER BY line_number"
                ),
            }
    except ConnectFailed:
        return None


def _refuse_other_place(file: HbaFile, used: str) -> None:
    if os.path.realpath(used) != file.place:
        raise HbaRefused(
            f"The running server reads its rules from '{used}', not from '{file.path}'.",
            "Set hba_file to that file, or give the other path. Nothing was changed.",
            "hba_elsewhere",
        )


def _judge(file: HbaFile, new: str, old: str | None, errors: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    lines = lines_of(new)
    foreign = lines_of(read_text(new, file.path).foreign)
    warnings = []
    for error in errors:
        number = int(error["line"] or 0)
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        what = shown(line.strip())
        if _HARMLESS in error["error"] and parse_line(line):
            warnings.append(f"The rule '{what}' has no effect: {error['error']}.")
            continue
        _restore(file, old)
        raise _refused(file, what, number, error["error"], line in foreign)
    return tuple(warnings)


def _restore(file: HbaFile, old: str | None) -> None:
    if old is None:
        _unlink(file.place)
    else:
        _write(file, file.place, old)
    _unlink(file.note)


def _refused(file: HbaFile, what: str, number: int, words: str, foreign: bool) -> HbaRefused:
    if foreign:
        return HbaRefused(
            f"The server cannot use line {number} of '{file.path}', '{what}', which this collection did not write: {words}.",
            "Correct that line; until then the server takes no new rules. Nothing was changed.",
            "hba_error",
            line=number,
        )
    return HbaRefused(
        f"The server refuses the rule '{what}' for '{file.path}': {words}.",
        "Correct it; the file is as it was.",
        rule=what,
    )


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _write(file: HbaFile, path: str, text: str) -> None:
    """Replace the file at once and for good."""
    user = pwd.getpwnam(file.owner)
    draft = f"{path}.{os.getpid()}.tmp"
    handle = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with open(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(text)
            stream.flush()
            if os.geteuid() == 0:
                os.fchown(stream.fileno(), user.pw_uid, user.pw_gid)
            os.fchmod(stream.fileno(), _MODE)
            os.fsync(stream.fileno())
        os.rename(draft, path)
    except BaseException:
        _unlink(draft)
        raise


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
