# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Rules as the inventory gives them, each checked by name. No I/O."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._errors import PgFleetError
from .rule import (
    CONTYPES,
    DELIMITERS,
    LOCAL,
    NETWORK_KEYWORDS,
    SECRET_OPTIONS,
    Rule,
    Word,
    is_ip,
    option_of,
    prefix_length,
    split_line,
)

_KEYS = ("contype", "databases", "users", "address", "netmask", "method", "options", "comment", "state")
_ALIASES = {"source": "address", "src": "address"}
_HOST_NAME = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
#: Servers before 16 skip longer words without saying so.
_LONGEST_WORD = 255


class HbaRuleInvalid(PgFleetError):
    """A rule for pg_hba.conf can never work."""

    code = "hba_rule_invalid"


def machine_address(address: str) -> str:
    """The address of one machine as a rule needs it; raises HbaRuleInvalid for what is neither address nor name."""
    return _address({"address": address})


def _with_mask(address: str) -> str:
    return f"{address}/{ipaddress.ip_address(address).max_prefixlen}" if is_ip(address) else address


def wanted_rules(listed: Iterable[Any]) -> tuple[list[Rule], list[Rule]]:
    """Rules that are to be there, and rules that are to go (``state: absent``); raises for the first wrong one."""
    present: list[Rule] = []
    absent: list[Rule] = []
    for number, given in enumerate(listed, 1):
        try:
            options = _known_options(given)
            rule = _rule_of(options)
        except HbaRuleInvalid as error:
            raise HbaRuleInvalid(
                f"Rule {number} for pg_hba.conf ({_shown(given)}) cannot be used: {error.message}",
                error.remedy,
                rule=number,
            ) from None
        (absent if options.get("state") == "absent" else present).append(rule)
    return present, absent


def _shown(given: object) -> str:
    if not isinstance(given, Mapping):
        return repr(given)
    hide = any(name in str(given.get("options")) for name in SECRET_OPTIONS)
    return ", ".join(f"{key}: {'***' if hide and key == 'options' else value}" for key, value in given.items())


def _known_options(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise HbaRuleInvalid("it is not a dictionary.", f"Give {', '.join(_KEYS[:6])}.")
    options: dict[str, Any] = {}
    for key, value in given.items():
        name = _ALIASES.get(str(key), str(key))
        if name not in _KEYS:
            raise HbaRuleInvalid(f"'{key}' is not a part of a rule.", f"Use {', '.join(_KEYS)}.")
        if name in options:
            raise HbaRuleInvalid(f"it has more than one {name}.", "Give one.")
        if value not in (None, "", []):
            options[name] = value
    if options.get("state", "present") not in ("present", "absent"):
        raise HbaRuleInvalid(f"its state is '{options['state']}'.", "Use present or absent.")
    return options


def _rule_of(options: Mapping[str, Any]) -> Rule:
    contype = _text(options, "contype")
    if contype not in CONTYPES:
        raise HbaRuleInvalid(f"'{contype}' is not a contype.", f"Use one of {', '.join(CONTYPES)}.")
    if contype == LOCAL and "netmask" in options:
        raise HbaRuleInvalid("a local rule has no netmask.", "Leave it out, or use contype host.")
    rule = Rule(
        contype,
        _names(options.get("databases", "all"), "databases"),
        _names(options.get("users", "all"), "users"),
        "" if contype == LOCAL else _address(options),
        _text(options, "method"),
        _auth_options(options.get("options", {})),
        _comment(options),
    )
    for word in (*rule.databases, *rule.users, *(Word(f"{name}={value}") for name, value in rule.options)):
        if len(word.text.encode()) > _LONGEST_WORD:
            raise HbaRuleInvalid(
                f"'{word.text[:20]}…' has more than {_LONGEST_WORD} bytes.", "The server would skip it."
            )
    return rule


def _text(options: Mapping[str, Any], key: str) -> str:
    if key not in options:
        raise HbaRuleInvalid(f"it has no {key}.", "Add it.")
    return _plain(options[key], key)


def _plain(value: Any, key: str) -> str:
    """The text of a value; a line break would begin another rule."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise HbaRuleInvalid(f"its {key} is {value!r}, not text.", "Put it in quotes.")
    text = str(value).strip()
    if not text or not text.isprintable() or text.endswith("\\"):
        raise HbaRuleInvalid(
            f"its {key} is {value!r}.", "Use printable text of one line without a backslash at its end."
        )
    return text


def _names(value: Any, key: str) -> tuple[Word, ...]:
    """A string is read as the server would read it; each element of a list is one name."""
    if isinstance(value, (list, tuple)):
        return tuple(_name(item, key) for item in value)
    text = _plain(value, key)
    _refuse_open_quote(text, key)
    fields = split_line(text)
    if len(fields) != 1 or "#" in re.sub('"[^"]*"', "", text):
        raise HbaRuleInvalid(
            f"its {key} '{text}' are not one field.", "Give a list, or quote names with spaces or '#'."
        )
    return tuple(fields[0])


def _name(item: Any, key: str) -> Word:
    text = _plain(item, key)
    if text.startswith('"'):
        _refuse_open_quote(text, key)
        fields = split_line(text)
        if len(fields) == 1 and len(fields[0]) == 1:
            return fields[0][0]
    return Word(text, quoted=bool(DELIMITERS.search(text)))


def _refuse_open_quote(text: str, key: str) -> None:
    if text.count('"') % 2:
        raise HbaRuleInvalid(f"its {key} {text!r} have a quote that does not end.", "Close it.")


def _address(options: Mapping[str, Any]) -> str:
    address = _text(options, "address")
    if address.startswith('"') and address.endswith('"') and len(address) > 2 and address[1:-1] not in NETWORK_KEYWORDS:
        address = address[1:-1]
    if "netmask" in options:
        return f"{_masked(address, _plain(options['netmask'], 'netmask'))}"
    if address in NETWORK_KEYWORDS:
        return address
    if "/" in address or ":" in address or re.fullmatch(r"[0-9.]+", address):
        return _network(_with_mask(address))
    if not _HOST_NAME.fullmatch(address):
        raise HbaRuleInvalid(f"'{address}' is neither an address, a network nor a host name.", "Correct it.")
    return address


def _masked(address: str, mask: str) -> str:
    length = int(mask) if mask.isdecimal() else prefix_length(mask)
    other_family = not mask.isdecimal() and (":" in mask) != (":" in address)
    if not is_ip(address) or length < 0 or other_family:
        raise HbaRuleInvalid(f"address '{address}' and netmask '{mask}' do not fit.", "Give a network as 192.0.2.0/24.")
    return _network(f"{address}/{length}")


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            network = ipaddress.ip_network(text, strict=False)
            raise HbaRuleInvalid(
                f"'{text}' has host bits set.", f"Write {network}, or {_with_mask(text.partition('/')[0])}."
            ) from error
        raise HbaRuleInvalid(f"'{text}' is not a network.", "Write it as 192.0.2.0/24 or 2001:db8::/32.") from error
    return text


def _auth_options(given: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(given, Mapping):
        pairs = [(str(name), _plain(value, f"option {name}")) for name, value in given.items()]
    else:
        words = given if isinstance(given, (list, tuple)) else [_plain(given, "options")]
        _refuse_open_quote("".join(map(str, words)), "options")
        pairs = [
            option_of(word.text) for text in words for field in split_line(_plain(text, "options")) for word in field
        ]
    names = [name for name, _value in pairs]
    for name, value in pairs:
        if not name or not value or names.count(name) > 1:
            raise HbaRuleInvalid(
                f"its option '{name}' has no value, or is there twice.", "Write options as name=value."
            )
    return tuple(pairs)


def _comment(options: Mapping[str, Any]) -> str:
    return _plain(options["comment"], "comment").lstrip("# ") if "comment" in options else ""
