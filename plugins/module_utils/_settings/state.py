# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether the settings of our file are what the server works with, and what stands in their way. No I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._postgres.settings import as_integer

AUTO_CONF = "postgresql.auto.conf"
#: Sources that belong to one session, database or role: what the server itself works with cannot be seen behind them.
_NARROWER = ("client", "database", "user", "database user", "session", "global", "interactive", "test")
_COMMAND_LINE = ("command line", "environment variable")
_UNITS = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_TIMES = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60000.0, "h": 3600000.0, "d": 86400000.0}
_QUANTITY = re.compile(r"\s*([+-]?[0-9.]+(?:e[+-]?\d+)?)\s*([A-Za-z]+)?\s*")
_WORDS = {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}

#: The lines of our file, each beside the last line of that name in all files and beside what the server works with.
OUR_LINES = """
WITH line AS MATERIALIZED (
  SELECT sourcefile, sourceline, seqno, lower(name) AS name, setting, error FROM pg_file_settings WHERE name IS NOT NULL),
last AS (SELECT DISTINCT ON (name) * FROM line ORDER BY name, seqno DESC)
SELECT line.name, coalesce(line.setting, '') AS wanted, line.sourcefile AS file, line.sourceline AS line,
       coalesce(last.setting, '') AS last, last.sourcefile AS last_file, last.sourceline AS last_line, line.error,
       now.setting, now.unit, now.source, now.sourcefile, now.sourceline, coalesce(now.pending_restart, false) AS pending
  FROM line JOIN last USING (name) LEFT JOIN pg_settings AS now ON lower(now.name) = line.name
 WHERE line.sourcefile LIKE '%/conf.d/pgfleet.conf'
 ORDER BY line.seqno
"""


@dataclass(frozen=True)
class Line:
    """A setting as our file has it, as the last of all files has it, and as the server works with it (None: unknown)."""

    name: str
    wanted: str
    file: str
    line: int
    last: str
    last_file: str
    last_line: int
    error: str | None = None
    setting: str | None = None
    unit: str | None = None
    source: str | None = None
    sourcefile: str | None = None
    sourceline: int | None = None
    pending: bool = False


@dataclass(frozen=True)
class Override:
    """A setting of ours that something else overrides; ``file`` is None for the server's command line."""

    setting: str
    wanted: str
    found: str
    file: str | None
    line: int | None

    @property
    def where(self) -> str:
        return f"line {self.line} of {self.file}" if self.file else "the server's command line"

    @property
    def remedy(self) -> str:
        if self.file is None:
            return "Take it out of the command line (pg_ctl.conf, the unit) and restart."
        if os.path.basename(self.file) == AUTO_CONF:
            return f"ALTER SYSTEM RESET {self.setting}, then run site; or give that value in pg_server_settings."
        return f"Take it out of {self.file}, then run site; or give that value in pg_server_settings."

    def as_result(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class InForce:
    """The settings of our file that wait for a restart, that are overridden, and that the server does not take, with why."""

    pending: tuple[str, ...] = ()
    overridden: tuple[Override, ...] = ()
    refused: Mapping[str, str] | None = None
    missing: tuple[str, ...] = ()


def judge(lines: Iterable[Line]) -> InForce:
    """Sort the lines of our file by what became of them; those that are in force are in none."""
    pending, overridden, missing, refused = [], [], [], {}
    for line in lines:
        other = override_of(line)
        if other:
            overridden.append(other)
        elif line.pending:
            pending.append(line.name)
        elif line.error:
            refused[line.name] = line.error
        elif not _taken(line):
            missing.append(line.name)
    return InForce(tuple(pending), tuple(overridden), refused, tuple(missing))


def override_of(line: Line) -> Override | None:
    """What wins over a line of ours and says something else; None where nothing does."""
    if (line.last_file, line.last_line) != (line.file, line.line):
        if same_value(line.wanted, line.last, line.unit):
            return None
        return Override(line.name, line.wanted, line.last, line.last_file, line.last_line)
    if line.source in _COMMAND_LINE and line.setting is not None and not _is_in_force(line):
        return Override(line.name, line.wanted, f"{line.setting}{_suffix(line.unit)}", None, None)
    return None


def _suffix(unit: str | None) -> str:
    return f" (in {unit})" if unit and unit[0].isdigit() else unit or ""


def _taken(line: Line) -> bool:
    """Whether the server has read this line; a name of no loaded library has no row, and is whatever was written."""
    if line.setting is None or line.source in (*_NARROWER, *_COMMAND_LINE, "override"):
        return True
    return (line.sourcefile, line.sourceline) == (line.last_file, line.last_line) or _is_in_force(line)


def _is_in_force(line: Line) -> bool:
    """Compares with the value as pg_settings shows it: a bare number, in the setting's unit."""
    if line.setting is None:
        return False
    return same_value(line.wanted, f"{line.setting}{_bare(line.unit)}", line.unit)


def _bare(unit: str | None) -> str:
    return f"*{unit}" if unit else ""


def same_value(one: str, other: str, unit: str | None = None) -> bool:
    """Whether two texts mean one value: 1GB and 1024MB, on and true. ``unit``: that of a bare number."""
    first, second = _quantity(one, unit), _quantity(other, unit)
    if first is not None and second is not None:
        return first == second
    return _word(one) == _word(other)


def _word(text: str) -> str:
    folded = re.sub(r"\s*,\s*", ",", text.strip()).casefold()
    return _WORDS.get(folded, folded)


def _quantity(text: str, unit: str | None) -> float | None:
    """A number in the smallest unit of its kind."""
    number, _star, base = text.partition("*")
    if as_integer(number) is not None and re.fullmatch(r"\s*[+-]?0\w+\s*", number):
        number = str(as_integer(number))
    found = _QUANTITY.fullmatch(number)
    if not found or found.group(1).count(".") > 1:
        return None
    try:
        value = float(found.group(1))
    except ValueError:
        return None
    if found.group(2):
        factor = _UNITS.get(found.group(2), _TIMES.get(found.group(2)))
        return None if factor is None else value * factor
    return value if value < 0 else value * _factor(base or unit)


def _factor(unit: str | None) -> float:
    """What one of pg_settings' units is: kB, 8kB, 16MB, ms, min."""
    found = re.fullmatch(r"(\d*)([A-Za-z]+)", unit or "")
    if not found:
        return 1.0
    return int(found.group(1) or 1) * float(_UNITS.get(found.group(2), _TIMES.get(found.group(2), 1.0)))
