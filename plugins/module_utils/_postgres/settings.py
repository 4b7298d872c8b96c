# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Settings of PostgreSQL as YAML gives them and as lines of a configuration file: one writer, one parser. No I/O."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from .._errors import PgFleetError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*")
_LINE = re.compile(r"^\s*([A-Za-z_][\w.$]*)\s*(?:=\s*|\s)('(?:[^'\\]|''|\\.)*'|[^\s#']*)")
_ESCAPES = {"\\": "\\\\", "'": "''", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
#: Elements of a list that mean the same without quotes wherever the server takes a list.
_BARE = re.compile(r'[a-z0-9_$.*/:+-]+|"[^"]+"')
_IDENTIFIER = re.compile(r'[a-z_][a-z0-9_$]*|\*|"[^"]+"')
_DIRECTIVES = ("include", "include_if_exists", "include_dir")
#: A standby must allow at least as much of these as its primary (manual: Hot Standby, Administrator's Overview).
PRIMARY_BOUND = {
    "max_connections": 100,
    "max_locks_per_transaction": 64,
    "max_prepared_transactions": 0,
    "max_wal_senders": 10,
    "max_worker_processes": 8,
}


class SettingRefused(PgFleetError):
    """A setting of the inventory that can never work; nothing was written."""

    code = "invalid_setting"


def setting_texts(settings: Mapping[Any, Any]) -> dict[str, str]:
    """Every setting as the text that the server is to see, names in lower case; those without a value are left out.

    Raises SettingRefused, which names the setting.
    """
    texts: dict[str, str] = {}
    given: dict[str, Any] = {}
    for raw, value in settings.items():
        name = setting_name(raw)
        if name in given and given[name] != value:
            raise SettingRefused(f"Setting '{name}' is given twice, with {given[name]!r} and {value!r}.", "Keep one.")
        given[name] = value
        text = setting_text(name, value)
        if text is not None:
            texts[name] = text
    return texts


def setting_name(raw: Any) -> str:
    """The name in lower case: the server takes any case, and one name must not be two lines."""
    name = str(raw)
    if not _NAME.fullmatch(name):
        raise SettingRefused(
            f"{name!r} is no name of a setting.", "Letters, digits and _ make one; a dot parts an extension's."
        )
    if name.lower() in _DIRECTIVES:
        raise SettingRefused(
            f"'{name}' reads other files; it is no setting.", "Put a file of your own into conf.d beside pgfleet.conf."
        )
    return name.lower()


def setting_text(name: str, value: Any) -> str | None:
    """One value as text; None for a null, which leaves the setting to other files and to the server's default."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return ", ".join(_element(name, each) for each in value)
    return _scalar(name, value)


def _scalar(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingRefused(f"Setting '{name}' has the value {value}, which is no number.", "Give a number.")
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        if "\0" in value:
            raise SettingRefused(f"Setting '{name}' has a NUL character in its value.", "Take it out.")
        return str(value).rstrip("\n")
    kind = "dictionary" if isinstance(value, Mapping) else type(value).__name__
    raise SettingRefused(
        f"Setting '{name}' has a {kind} as its value.", "Give a text, a number, a boolean or a list of those."
    )


def _element(name: str, value: Any) -> str:
    if value is None or isinstance(value, (list, tuple)):
        kind = "null" if value is None else "list"
        raise SettingRefused(f"Setting '{name}' has a {kind} in its list.", "Give texts, numbers or booleans.")
    text = _scalar(name, value)
    bare = _IDENTIFIER if name == "synchronous_standby_names" else _BARE
    if bare.fullmatch(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def setting_line(name: str, text: str) -> str:
    """One line of a configuration file that gives a setting this text, whatever is in it."""
    return f"{name} = '{''.join(map(_escaped, text))}'"


def _escaped(letter: str) -> str:
    if letter < " " and letter not in _ESCAPES:
        return f"\\{ord(letter):03o}"
    return _ESCAPES.get(letter, letter)


def settings_file(settings: Mapping[Any, Any], comment: str = "") -> str:
    """A whole file of settings, by name."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += [setting_line(name, text) for name, text in sorted(setting_texts(settings).items())]
    return "\n".join(lines) + "\n"


def read_settings(text: str) -> dict[str, str]:
    """The settings of a configuration file; of several lines for one setting the last counts, as for the server."""
    return dict(settings_in_order(text))


def settings_in_order(text: str) -> list[tuple[str, str]]:
    """Name and value of every line of a configuration file that sets something, its includes among them."""
    found = (_LINE.match(line) for line in text.split("\n"))
    return [(line.group(1).lower(), _unquoted(line.group(2))) for line in found if line]


def _unquoted(value: str) -> str:
    if not value.startswith("'"):
        return value
    return re.sub(r"''|\\([0-7]{1,3}|.)", lambda found: _unescaped(found.group(1)), value[1:-1])


def _unescaped(after: str | None) -> str:
    if after is None:
        return "'"
    return chr(int(after, 8) & 0xFF) if after[0] in "01234567" else _ESCAPED.get(after, after)


def write_settings(text: str, settings: Mapping[str, str]) -> str:
    """The text with these settings in it once, in their old places or at the end; everything else stays."""
    left = dict(settings)
    lines = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        found = _LINE.match(line)
        name = found.group(1).lower() if found else ""
        if name not in settings:
            lines.append(line)
        elif name in left:
            lines.append(setting_line(name, left.pop(name)))
    lines += [setting_line(name, value) for name, value in left.items()]
    return "\n".join(lines) + "\n"


def drop_settings(text: str, names: Collection[str]) -> str:
    """The text without the lines that give these settings."""
    lines = [
        line for line in text.split("\n") if not ((found := _LINE.match(line)) and found.group(1).lower() in names)
    ]
    return "\n".join(lines)


def changes_between(old: str, new: str) -> dict[str, tuple[str | None, str | None]]:
    """The settings that differ between two files: text before and after, None where there is no line."""
    before, after = read_settings(old), read_settings(new)
    names = sorted({*before, *after})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def as_integer(text: str) -> int | None:
    """A whole number as the server reads it (100, 0x64, 1e2, 010 for eight); None for anything else."""
    try:
        return int(text, 8 if re.fullmatch(r"\s*[+-]?0[0-7]+\s*", text) else 0)
    except ValueError:
        pass
    try:
        return round(float(text))
    except (ValueError, OverflowError):
        return None
